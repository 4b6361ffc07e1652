"""Starts `python -m speechvq.live`."""

from speechvq.live import main

raise SystemExit(main())
