"""Live in a page, without a server: models that recommend, and a table to ask in SQL."""

from celsa_lib.demo.pack import as_json, packed, packed_rows
from celsa_lib.demo.page import DemoModel, LiveDemo, demo_page, live_demo
from celsa_lib.demo.personas import Persona, personas
from celsa_lib.demo.table import live_table, table_page

__all__ = [
    "DemoModel",
    "LiveDemo",
    "Persona",
    "as_json",
    "demo_page",
    "live_demo",
    "live_table",
    "packed",
    "packed_rows",
    "personas",
    "table_page",
]
