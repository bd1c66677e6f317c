// Sentences of the server in Chinese: errors and notes that a user meets. The server writes them in English, for its log, too; others stay so.
const KINDS = { model: "模型输出", "attention and mlp": "注意力与 MLP", "attention": "注意力", "mlp": "MLP" };

const CHINESE = [
  [/^(.+) (?:is|are) on this model, too, and two caches spoil each other\. Remove it, or this node\.$/, "此模型上还有 $1，两个缓存会互相破坏。请移除它或此节点。"],
  [/^(.+) has put its own forward into this model, where it stays when its node is gone.+$/, "$1 已改写此模型，其节点移除后仍会保留，两个缓存会互相破坏。请移除其节点并重启 ComfyUI，或移除此节点。"],
  [/^(.+) cache the same parts; keep one of them on this model\.$/, "$1 缓存相同的部分；此模型上只保留其中一个。"],
  [/^(.+): with a tolerance AB-Cache decides during the run, and FEB-Cache and plans for the guidance need the steps beforehand\..+$/, "$1：设有 tolerance 时 AB-Cache 在运行中决定，而 FEB-Cache 和引导的计划需要事先知道步骤。请把 tolerance 设为 0，或只保留一个。"],
  [/^This plan is for (.+); (.+) takes plans for (.+)\. Connect it to (.+)\.$/, "此计划用于$1；$2 只接受用于$3的计划。请把它接到 $4。"],
  [/^The plan comes from another node, and is known here once this node has run with it\.$/, "计划来自另一个节点，运行一次之后这里才能知道。"],
  [/^There is no plan (.+) in (.+); set plan_name to one(?: that is there| of .+)\.$/, "$2 中没有计划 $1；请把 plan_name 设为已有的计划。"],
  [/^steps is (.+); the preview shows 1 to (\d+)\. The run itself may have more\.$/, "steps 为 $1；预览显示 1 到 $2 步。运行本身可以更多。"],
  [/^The sampler starts at step (.+) and ends at (.+): it has no steps\. Start earlier\.$/, "采样器从第 $1 步开始，到第 $2 步结束：没有步骤。请更早开始。"],
  [/^(\w+) is (.+); allowed is one of (.+)\.$/, "$1 为 $2；允许的值：$3。"],
  [/^(\w+) is (.+); allowed is (.+) to (.+)\.$/, "$1 为 $2；允许 $3 到 $4。"],
  [/^end_percent is (.+) and start_percent (.+); the end must be greater\.$/, "end_percent 为 $1，start_percent 为 $2；前者必须更大。"],
  [/^computed_steps is (.+); step 0 must be computed, nothing comes before it\. Add 0\.$/, "computed_steps 为 $1；第 0 步必须计算，因为之前没有结果。请加上 0。"],
  [/^computed_steps names (.+); this sampling has steps 0 to (.+)\.$/, "computed_steps 含有 $1；此采样只有第 0 到 $2 步。"],
  [/^(\w+) has (.+); write .+ such as (.+)\.$/, "$1 含有 $2；请写成 $3 这样。"],
  [/^every step is computed, as no picture was recorded yet$/, "尚未记录任何图，因此每一步都计算"],
  [/^strength is 0: nothing is saved$/, "强度为 0：不节省任何计算"],
  [/^at this threshold no step is reused\. Set strength or threshold higher$/, "按此阈值没有可复用的步。请调大强度或阈值"],
  [/^which steps are computed goes by the model, and is known here once this node has run$/, "计算哪些步取决于模型，此节点运行一次之后这里才能知道"],
  [/^the model is known here once this node has run; until then the steps are a guess$/, "此节点运行一次之后这里才知道模型；在此之前，步骤只是估计"],
  [/^nothing can be learned from this sampling: running uncached$/, "从此采样学不到任何内容：不缓存"],
  [/^every step is computed, to learn from$/, "为了学习，每一步都计算"],
  [/^(\d+) steps leave nothing to predict \(at least (\d+) are needed\): running uncached\.$/, "$1 步太少，没有可预测的（至少需要 $2 步）：不缓存。"],
  [/^the sigmas rise, and predictions are for falling ones: running uncached\.$/, "噪声水平上升，而预测只适用于下降：不缓存。"],
  [/^(.+) adds new noise at each step, by its name: outputs are reused, not predicted$/, "$1 每一步都添加新噪声（按其名称）：只复用输出，不预测"],
  [/^no plan is learned for this sampling, the widgets count: (.+)$/, "此采样不学习计划，以控件为准：$1"],
  [/^no plan was learned, the widgets count from the next run on: (.+)$/, "未能学到计划，从下次运行起以控件为准：$1"],
  [/^a plan was learned: from the next run on .+ at (\d+) of (\d+) steps.+of about (\d+) dB.+$/, "已学到计划：从下次运行起只计算 $2 步中的 $1 步；此图与无缓存的图相比 PSNR 约 $3 dB"],
  [/^out of memory while checking the blocks: attention and mlp are computed$/, "检查各块时显存不足：注意力与 MLP 照常计算"],
  [/^another node looks at the queries and keys: attention is computed$/, "另一个节点要读取注意力的中间结果：注意力照常计算"],
  [/^(.+) keeps something from call to call, so no block must be run twice to be checked: attention and mlp are computed$/, "$1 在各次调用之间保存数据，无法重复运行来检查：注意力与 MLP 照常计算"],
  [/^(.+): (.+) cannot be predicted, (.+)$/, "$1：$2 无法预测，$3"],
  [/^(.+): from then on (.+)$/, "$1：之后改为 $2"],
  [/^out of memory at step (\d+): from then on (.+)$/, "第 $1 步显存不足：之后改为 $2"],
  [/^cache: (.+) of (.+) allowed: .+\((.+) would keep every output\)$/, "缓存：允许 $2 中使用 $1（保留全部输出需要 $3）"],
];

/** A function that gives a sentence of the server in a language of the page, as far as it can. */
export function sentencesIn(language) {
  if (!/^zh/i.test(language ?? "")) return (text) => text;
  return (text) => {
    const [pattern, chinese] = CHINESE.find(([pattern]) => pattern.test(text)) ?? [];
    return pattern ? text.replace(pattern, (_, ...found) => chinese.replace(/\$(\d)/g, (_, at) => KINDS[found[at - 1]] ?? found[at - 1])) : text;
  };
}
