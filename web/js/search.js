// In the page's search of nodes "cache" finds the nodes that cache first, and their helpers behind. The page lists what begins with the word first, and the helpers'
// ids do, whatever the nodes are called; but it asks each node for its place.
import { app } from "../../../scripts/app.js";

const NAME = "feb_ab_cache.search";
const APPLY = ["ABCacheApply", "FEBCacheApply"];
const HELPERS = ["CacheMethod", "CacheContest", "CacheReport", "CacheCompare", "CacheCalibrate", "CachePlanLoad", "CachePlanSave", "CachePlanInfo"];
const METHOD = "CacheMethod"; // of the helpers; its name has those of other caches
const BEGINS = 1, HAS = 2, LOOSE = 9, FAR = 100; // the page's kinds of a match: a name begins with the word, has it, or only an alias does; letters from its start
const UNUSED = 0; // use counts after the kind of a match, and before the letters

/** Places, from the page's own: an Apply node that has the word, as one that begins with it; a helper as one that has it, and behind all that match in the same way. By the name of another cache Cache Method is no better than they by an alias. */
const first = ([match, ...rest]) => [match === HAS ? BEGINS : match, UNUSED, ...rest];
const behind = ([match, letters, ...rest]) => [match === BEGINS ? HAS : match, UNUSED, FAR + letters, ...rest];
const byAnotherName = ([match, ...rest]) => behind([match > BEGINS ? LOOSE : match, ...rest]);

if (!app.extensions.some((extension) => extension.name === NAME)) {
  app.registerExtension({
    name: NAME,
    beforeRegisterNodeDef(_, definition) {
      if (APPLY.includes(definition.name)) definition.postProcessSearchScores = first;
      if (HELPERS.includes(definition.name)) definition.postProcessSearchScores = definition.name === METHOD ? byAnotherName : behind;
    },
  });
}
