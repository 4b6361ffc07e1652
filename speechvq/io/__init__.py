"""Files and folders: written whole, read with suspicion, fetched, unpacked, shared on a hub."""
