"""Plans made from recorded runs of the very model, sampler and sigmas they are for."""

from .bench import Bench, TrialWatch, Watch, Watches
from .fit import Normal, Tracker, fit, fitting_plan
from .ledger import Ledger, Progress
from .modules import calibrate_modules
from .output import calibrate_output
from .recording import Recorded, Recorder, Recording
from .search import Candidate, Compared, Found, Keep, Request
from .steps import best_steps, growth, least_steps, steps_for
