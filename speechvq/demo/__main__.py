"""Starts `python -m speechvq.demo`."""

from speechvq.demo import main

raise SystemExit(main())
