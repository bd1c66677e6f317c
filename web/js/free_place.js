// A place for a new node beside another one, where nothing lies.

const STEP = 40; // pixels between two places that are tried
const GAP = 30; // at least, to what lies there
const ROOM = 1.2; // Nodes 2.0 draws a node up to a fifth higher than it says when it is made
const TITLE = 30; // height of a node's title, which lies above its position

/** The room of a node, of a collapsed one as it is opened. */
const boxOf = ({ pos, size }) => [pos[0] - GAP, pos[1] - TITLE - GAP, pos[0] + size[0] + GAP, pos[1] + size[1] + GAP];

const apart = ([left, top, right, bottom], [x, y, far, low]) => far <= left || x >= right || low <= top || y >= bottom;

/** The offsets `[left, down]` that are tried, the nearest first. */
function offsets(reach = 60) {
  const found = [];
  for (let left = 0; left <= reach; left++) for (let down = -reach; down <= reach; down++) found.push([left, down]);
  return found.sort(([a, b], [c, d]) => a + Math.abs(b) - c - Math.abs(d));
}

/** The position for a node of this size, left of `node` and as near as may be; over others only where all is full. */
export function freePlace(node, [width, height]) {
  const { graph } = node, borders = [graph.inputNode, graph.outputNode].filter((border) => border?.pos && border.size);
  const boxes = [...graph._nodes, ...borders].map(boxOf);
  const places = offsets().map(([left, down]) => [node.pos[0] - width - GAP - STEP * left, node.pos[1] + STEP * down]);
  const free = ([x, y]) => boxes.every((box) => apart(box, [x, y - TITLE, x + width, y + ROOM * height]));
  return places.find(free) ?? places[0];
}
