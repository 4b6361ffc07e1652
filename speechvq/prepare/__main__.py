"""Starts `python -m speechvq.prepare`."""

from speechvq.prepare import main

raise SystemExit(main())
