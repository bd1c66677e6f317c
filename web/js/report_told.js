// A report in Chinese; in English it comes from the server, as text.
import { sentencesIn } from "./sentences.js";

const KINDS = { model: "模型", attention: "注意力", mlp: "MLP", guidance: "引导" };
const INSIDE = { compute: "计算", "reuse attention": "复用注意力", "reuse mlp": "复用 MLP", "reuse both": "两者都复用" };
const ONE = "one branch"; // of the guidance: the unconditional one is predicted
const STATES = { ...INSIDE, ...Object.fromEntries(Object.entries(INSIDE).map(([state, words]) => [`${state}, ${ONE}`, `${words}，只计算一个分支`])),
  [ONE]: "只计算一个分支", "predict model": "预测模型输出" };
const MARKS = { compute: "#", "reuse attention": "m", "reuse mlp": "a", "reuse both": ".", "predict model": ".", [ONE]: "1" };
const markOf = (state) => MARKS[state] ?? MARKS[state.replace(`, ${ONE}`, "")];

const megabytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MB`;

function saved({ seconds, saved }) {
  if (saved === null) return "没有完全计算的步，无从比较";
  return `节省 ${saved.toFixed(2)} s，${(seconds ? (seconds + saved) / seconds : 1).toFixed(2)} 倍（实测）`;
}

function one(report) {
  const { name, model, finished, steps, evaluations, computed, shares, seconds, bytes, host, less, notes, rows } = report, sentence = sentencesIn("zh");
  const table = rows.map(([step, sigma, state, took]) => `${String(step).padStart(3)}  ${sigma.toFixed(4).padStart(8)}  ${took.toFixed(4).padStart(9)}  ${STATES[state]}`);
  return [
    `${name}，模型 ${model}${finished ? "" : "，未完成即停止"}`,
    `${steps} 步，求值 ${evaluations} 次；模型运行 ${computed} 次`,
    ...Object.entries(shares).map(([kind, share]) => `${KINDS[kind]}：计算了 ${Math.round(100 * share)} %`),
    `时间：${seconds.toFixed(2)} s；${saved(report)}`,
    `缓存最多：${megabytes(bytes)}${host ? `，另有内存 ${megabytes(host)}` : ""}`,
    ...less.map((text) => `比计划少：${sentence(text)}`),
    ...notes.map((text) => `说明：${sentence(text)}`),
    "",
    "# 全部计算    a 只计算注意力    . 全部预测    m 只计算 MLP",
    ...(rows.some(([, , state]) => state === ONE) ? ["1 只计算一个分支"] : []),
    rows.map(([, , state]) => markOf(state)).join(""),
    "",
    " 步     sigma       秒数  状态",
    ...table,
  ].join("\n");
}

/** The text of `reports`, one or two of them, in a language of the page; null where the server's own is in it. */
export function reportsIn(language, reports) {
  return /^zh/i.test(language ?? "") ? reports.map(one).join("\n\n") : null;
}
