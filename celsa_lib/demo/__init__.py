"""Live in a page, without a server: models that recommend, and a table to ask in SQL."""

from celsa_lib.demo.books import LISTED, books_demo, personas_in_segments
from celsa_lib.demo.pack import as_json, packed, packed_rows, packed_words
from celsa_lib.demo.page import DemoModel, LiveDemo, demo_page, live_demo
from celsa_lib.demo.personas import Persona, book_personas, personas
from celsa_lib.demo.table import live_table, table_page

__all__ = [
    "LISTED",
    "DemoModel",
    "LiveDemo",
    "Persona",
    "as_json",
    "book_personas",
    "books_demo",
    "demo_page",
    "live_demo",
    "live_table",
    "packed",
    "packed_rows",
    "packed_words",
    "personas",
    "personas_in_segments",
    "table_page",
]
