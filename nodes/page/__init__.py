"""Answers to the page: routes, previews, running timelines."""
