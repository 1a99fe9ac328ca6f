"""What the agents may call."""

import logging

from azure_functions_agents import tool


@tool
def price(order: str) -> str:
    """Tell the price of an order."""
    logging.getLogger("tools").info("price of %s", order)
    return "12 euros"
