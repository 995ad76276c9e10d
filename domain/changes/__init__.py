"""How each event changes a case, one module a matter. Nothing here decides anything: that stands in the lifecycles."""
