"""Starts `python -m speechvq.export`."""

from speechvq.export import main

raise SystemExit(main())
