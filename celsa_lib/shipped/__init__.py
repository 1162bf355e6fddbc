"""Trained rows that come with the library, so that what is shown needs no data and no network."""

from celsa_lib.shipped.rows import ShippedRows, goodbooks_rows, load_shipped, write_shipped

__all__ = ["ShippedRows", "goodbooks_rows", "load_shipped", "write_shipped"]
