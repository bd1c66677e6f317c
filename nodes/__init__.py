"""The nodes, and what joins the engine to ComfyUI. ComfyUI is imported inside functions only."""

from .ab_cache_apply import ABCacheApply
from .cache_calibrate import CacheCalibrate
from .cache_compare import CacheCompare
from .cache_contest import CacheContest
from .cache_method import CacheMethod
from .cache_plan import CachePlanInfo, CachePlanLoad, CachePlanSave
from .cache_report import CacheReport
from .feb_cache_apply import FEBCacheApply
from .page.replacements import register_replacements
from .page.routes import register

NODE_CLASS_MAPPINGS = {
    "FEBCacheApply": FEBCacheApply,
    "ABCacheApply": ABCacheApply,
    "CacheReport": CacheReport,
    "CachePlanLoad": CachePlanLoad,
    "CachePlanSave": CachePlanSave,
    "CachePlanInfo": CachePlanInfo,
    "CacheCalibrate": CacheCalibrate,
    "CacheCompare": CacheCompare,
    "CacheMethod": CacheMethod,
    "CacheContest": CacheContest,
}
NODE_DISPLAY_NAME_MAPPINGS = {
    "FEBCacheApply": "FEB-Cache Apply",
    "ABCacheApply": "AB-Cache Apply",
    "CacheReport": "Cache Report",
    "CachePlanLoad": "Cache Plan Load",
    "CachePlanSave": "Cache Plan Save",
    "CachePlanInfo": "Cache Plan Info",
    "CacheCalibrate": "Cache Calibrate",
    "CacheCompare": "Cache Compare",
    "CacheMethod": "Cache Method (TeaCache, MagCache, ...)",
    "CacheContest": "Cache Contest",
}

register()
register_replacements()
