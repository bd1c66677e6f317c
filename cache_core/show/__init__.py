"""Reports, timelines and drawings of what a run did."""
