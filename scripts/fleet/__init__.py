"""Plans for many workflows, learned without a page: on one machine, or on a Ray cluster."""
