// In the page's search of nodes "cache" finds the nodes that cache first, and their helpers behind. The page lists what begins with the word first, and the helpers'
// ids do, whatever the nodes are called; but it asks each node for its place.
import { app } from "../../../scripts/app.js";

const NAME = "feb_ab_cache.search";
const APPLY = ["ABCacheApply", "FEBCacheApply"];
const HELPERS = ["CacheMethod", "CacheContest", "CacheReport", "CacheCompare", "CacheCalibrate", "CachePlanLoad", "CachePlanSave", "CachePlanInfo"];
const BEGINS = 1, HAS = 2, FAR = 100; // the page's kinds of a match: a name begins with the word, or has it; some letters from its start
const UNUSED = 0; // use counts after the kind of a match, and before the letters

/** Places, from the page's own: an Apply node that has the word, as one that begins with it; a helper as one that has it, and behind all that match in the same way. */
const first = ([match, ...rest]) => [match === HAS ? BEGINS : match, UNUSED, ...rest];
const behind = ([match, letters, ...rest]) => [match === BEGINS ? HAS : match, UNUSED, FAR + letters, ...rest];

if (!app.extensions.some((extension) => extension.name === NAME)) {
  app.registerExtension({
    name: NAME,
    beforeRegisterNodeDef(_, definition) {
      if (APPLY.includes(definition.name)) definition.postProcessSearchScores = first;
      if (HELPERS.includes(definition.name)) definition.postProcessSearchScores = behind;
    },
  });
}
