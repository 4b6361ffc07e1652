"""Pure functions, arrays in and numbers out, for any discrete units."""
