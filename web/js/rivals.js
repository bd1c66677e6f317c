// Nodes of other packs, and of core, that cache, too; by their types. nodes/comfy/rivals.py looks at the model itself, before it runs.
const RIVALS = /(easy|lazy|tea|mag|mean|first_?block|fb|block|dit|taylor_?seer|adaptive|hi|deep)_?cache|taylorseer|wavespeed|spectrum|hyperstep/i;

/** True if a node puts a cache on its model. */
export const caches = (node) => RIVALS.test(node.type);
