"""The nodes, and what joins the engine to ComfyUI. ComfyUI is imported inside functions only."""

from .ab import ABCacheApply
from .calibrate import CacheCalibrate
from .compare import CacheCompare
from .feb import FEBCacheApply
from .plans import CachePlanInfo, CachePlanLoad, CachePlanSave
from .report import CacheReport
from .routes import register

NODE_CLASS_MAPPINGS = {"FEBCacheApply": FEBCacheApply, "ABCacheApply": ABCacheApply, "CacheReport": CacheReport, "CachePlanLoad": CachePlanLoad,
                       "CachePlanSave": CachePlanSave, "CachePlanInfo": CachePlanInfo, "CacheCalibrate": CacheCalibrate,
                       "CacheCompare": CacheCompare}
NODE_DISPLAY_NAME_MAPPINGS = {"FEBCacheApply": "FEB-Cache Apply", "ABCacheApply": "AB-Cache Apply", "CacheReport": "Cache Report",
                              "CachePlanLoad": "Cache Plan Load", "CachePlanSave": "Cache Plan Save", "CachePlanInfo": "Cache Plan Info",
                              "CacheCalibrate": "Cache Calibrate", "CacheCompare": "Cache Compare"}

register()
