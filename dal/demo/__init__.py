"""The reference shop: TPC-H with readable names, and a tour of dal on it. Needs the extra `demo`."""
