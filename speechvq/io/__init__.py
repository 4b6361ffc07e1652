"""Files and folders: atomic writing, checked reading, downloads, archives, and the hub."""
