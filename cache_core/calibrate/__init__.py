"""Plans made from recorded runs of the very model, sampler and sigmas they are for."""

from .bench import Bench, BranchWatch, TrialWatch, Watch, Watches
from .fit import Tracker, fit
from .learn import Found, Keep, Lesson, Request, calibrate_output, steps_for
from .ledger import Ledger, Progress
from .modules import calibrate_modules
from .probing import probed
from .recording import Recorded, Recorder, Recording
from .site_trials import SiteRecorder
