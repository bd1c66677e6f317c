"""Every row of the matrix."""

from scenarios import absent, faults, neighbours, prompts, samplers, schedules, weights
from scenarios.row import Row

PARTS = {
    "Samplers": samplers.ROWS,
    "Schedules and queues": schedules.ROWS,
    "Prompts, guidance, control": prompts.ROWS,
    "Weights": weights.ROWS,
    "Other nodes": neighbours.ROWS,
    "Faults": faults.ROWS,
    "Not shown on a CPU": absent.ROWS,
}
ROWS: tuple[Row, ...] = tuple(row for rows in PARTS.values() for row in rows)
