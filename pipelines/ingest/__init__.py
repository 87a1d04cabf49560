"""From other people's data to the contracts of EVENTS, CUSTOMERS and PRODUCTS."""
