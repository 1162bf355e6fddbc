"""The live demo: models packed into one page that recommends without a server."""

from celsa_lib.demo.pack import as_json, packed, packed_rows
from celsa_lib.demo.page import DemoModel, LiveDemo, demo_page, live_demo
from celsa_lib.demo.personas import Persona, personas

__all__ = [
    "DemoModel",
    "LiveDemo",
    "Persona",
    "as_json",
    "demo_page",
    "live_demo",
    "packed",
    "packed_rows",
    "personas",
]
