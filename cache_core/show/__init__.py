"""Reports, timelines and drawings of a run."""
