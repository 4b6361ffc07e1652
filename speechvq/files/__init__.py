"""Files written whole, fetched and unpacked, whatever is in them."""
