// What core's ComfyMathExpression makes of numbers: one line of Python's arithmetic, read and worked out here.

const TOKEN = /\d+\.?\d*(?:e[-+]?\d+)?|\.\d+|[a-z_]\w*|\*\*|\/\/|[<>=!]=|[-+*/%()<>,]/gi;
const LEVELS = [
  { "<": (a, b) => a < b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b, "==": (a, b) => a === b, "!=": (a, b) => a !== b },
  { "+": (a, b) => a + b, "-": (a, b) => a - b },
  { "*": (a, b) => a * b, "/": (a, b) => a / b, "//": (a, b) => Math.floor(a / b), "%": (a, b) => a - b * Math.floor(a / b) },
];
const { min, max, abs, sqrt, ceil, floor, trunc } = Math;
const CALLS = { min, max, abs, sqrt, ceil, floor, int: trunc, float: (number) => number, round: (number, ...digits) => (digits.length ? NaN : rounded(number)) };

/** As Python rounds: halves to the even number. */
export function rounded(number) {
  const down = Math.floor(number);
  return number - down === 0.5 ? down + (down % 2 && 1) : Math.round(number);
}

class Reader {
  constructor(tokens, valueOf) {
    Object.assign(this, { tokens, valueOf, at: 0 });
  }

  /** The next token, if it is one of `wanted`, which is then done with. */
  take(...wanted) {
    return wanted.includes(this.tokens[this.at]) ? this.tokens[this.at++] : undefined;
  }

  need(token) {
    if (!this.take(token)) throw new SyntaxError(token);
  }

  choice() {
    const yes = this.binary(0);
    if (!this.take("if")) return yes;
    const on = this.binary(0);
    this.need("else");
    const no = this.choice();
    return on ? yes : no;
  }

  binary(level) {
    if (level === LEVELS.length) return this.signed();
    const rules = LEVELS[level];
    let left = this.binary(level + 1), count = 0;
    for (let sign; (sign = this.take(...Object.keys(rules))); count++) {
      if (count && level === 0) throw new SyntaxError(sign); // a < b < c is another thing in Python
      left = rules[sign](left, this.binary(level + 1));
    }
    return left;
  }

  signed() {
    if (this.take("-")) return -this.signed();
    if (this.take("+")) return this.signed();
    const base = this.atom();
    return this.take("**") ? base ** this.signed() : base;
  }

  atom() {
    if (this.take("(")) return this.closed(this.choice());
    const token = this.tokens[this.at++] ?? "";
    if (/^[.\d]/.test(token)) return Number(token);
    return this.take("(") ? this.call(token) : Number(this.valueOf(token));
  }

  call(name) {
    const given = [this.choice()];
    while (this.take(",")) given.push(this.choice());
    return this.closed(Object.hasOwn(CALLS, name) ? CALLS[name](...given) : NaN);
  }

  closed(value) {
    this.need(")");
    return value;
  }
}

/** The value of an expression, with that of a name from `valueOf(name)`; undefined where it is no arithmetic, or not of numbers. */
export function evaluated(text, valueOf) {
  const tokens = text.match(TOKEN) ?? [], reader = new Reader(tokens, valueOf);
  if (tokens.join("") !== text.replace(/\s/g, "")) return undefined;
  try {
    const value = reader.choice();
    return reader.at === tokens.length && Number.isFinite(Number(value)) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return undefined;
    throw error;
  }
}
