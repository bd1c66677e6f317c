// Sentences of the server in Chinese: errors and notes that a user meets. The server writes them in English, for its log, too; others stay so.
const KINDS = { model: "模型输出", "attention and mlp": "注意力与 MLP", attention: "注意力", mlp: "MLP", guidance: "引导", "this model": "此模型" };

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
  [/^([\w ]+) is (.+); allowed is one of (.+)\.$/, "$1 为 $2；允许的值：$3。"],
  [/^([\w ]+) is (.+); allowed is (.+) to (.+)\.$/, "$1 为 $2；允许 $3 到 $4。"],
  [/^end_percent is (.+) and start_percent (.+); the end must be greater\.$/, "end_percent 为 $1，start_percent 为 $2；前者必须更大。"],
  [/^computed_steps is (.+); step 0 must be computed, nothing comes before it\. Add 0\.$/, "computed_steps 为 $1；第 0 步必须计算，因为之前没有结果。请加上 0。"],
  [/^computed_steps names (.+); this sampling has steps 0 to (.+)\.$/, "computed_steps 含有 $1；此采样只有第 0 到 $2 步。"],
  [/^(\w+) has (.+); write .+ such as (.+)\.$/, "$1 含有 $2；请写成 $3 这样。"],
  [/^every step is computed, as no picture was recorded yet$/, "尚未记录任何图，因此每一步都计算"],
  [/^strength is 0: nothing is saved$/, "强度为 0：不节省任何计算"],
  [/^at this threshold no step is reused\. Set strength or threshold higher$/, "按此阈值没有可复用的步。请调大强度或阈值"],
  [/^no threshold comes near to strength here, and more is saved\. Set threshold, or take another method$/, "这里没有接近强度的阈值，节省得更多。请设置阈值，或换一种方法"],
  [/^which steps are computed goes by the model, and is known here once this node has run$/, "计算哪些步取决于模型，此节点运行一次之后这里才能知道"],
  [/^the model is known here once this node has run; until then the steps are a guess$/, "此节点运行一次之后这里才知道模型；在此之前，步骤只是估计"],
  [/^nothing can be learned from this sampling: running uncached$/, "从此采样学不到任何内容：不缓存"],
  [/^every step is computed, to learn from$/, "为了学习，每一步都计算"],
  [/^(\d+) steps leave nothing to predict \(at least (\d+) are needed\)$/, "$1 步太少，没有可预测的（至少需要 $2 步）"],
  [/^the sigmas rise, and predictions are for falling ones$/, "噪声水平上升，而预测只适用于下降"],
  [/^(.+) adds new noise at each step, by its name: outputs are reused, not predicted$/, "$1 每一步都添加新噪声（按其名称）：只复用输出，不预测"],
  [/^no plan is learned for this sampling, the widgets count: (.+)$/, "此采样不学习计划，以控件为准：$1"],
  [/^no plan was learned, the widgets count from the next run on: (.+)$/, "未能学到计划，从下次运行起以控件为准：$1"],
  [/^(.+) adds new noise\. Set curves to 'as released', or take another sampler$/, "$1 会添加新噪声。请把 curves 设为 'as released'，或换一种采样器"],
  [/^it takes (\d+) steps or more, of falling sigmas$/, "需要至少 $1 步，且噪声水平下降"],
  [/^no curves are recorded of this sampling, and every step is computed: (.+)$/, "此采样不记录曲线，每一步都计算：$1"],
  [/^no curves were recorded, and every step is computed from the next run on, too: (.+)$/, "未能记录曲线，从下次运行起每一步仍都计算：$1"],
  [/^a plan was learned: from the next run on .+ at (\d+) of (\d+) steps.+of about (\d+) dB.+$/, "已学到计划：从下次运行起只计算 $2 步中的 $1 步；此图与无缓存的图相比 PSNR 约 $3 dB"],
  [/^out of memory while checking the blocks: attention and mlp are computed$/, "检查各块时显存不足：注意力与 MLP 照常计算"],
  [/^another node looks at the queries and keys: attention is computed$/, "另一个节点要读取注意力的中间结果：注意力照常计算"],
  [/^(.+) keeps something from call to call, so no block must be run twice to be checked: attention and mlp are computed$/, "$1 在各次调用之间保存数据，无法重复运行来检查：注意力与 MLP 照常计算"],
  [/^out of memory at step (\d+): from then on (.+)$/, "第 $1 步显存不足：之后改为 $2"],
  [/^cache: (.+) of (.+) allowed: .+\((.+) would keep every output\)$/, "缓存：允许 $2 中使用 $1（保留全部输出需要 $3）"],
  // guidance
  [/^this sampler needs the true unconditional output of every step, as those with cfg_pp do: it is computed\. .+$/, "此采样器每一步都需要真正的无条件输出（如 cfg_pp 采样器）：照常计算。请选用不带 cfg_pp 的同名采样器"],
  [/^another node \((.+)\) works on the outputs of both branches: both are computed\. Take it off$/, "另一个节点（$1）要用到两个分支的输出：两者都计算。请移除它"],
  [/^the branches run on several devices at the same time: both are computed, nothing would be saved$/, "两个分支同时在多个设备上运行：两者都计算，因为不会有所节省"],
  [/^guidance is 1: there is no second branch to leave out\. Cache the model's output or its blocks$/, "引导为 1：没有可省去的第二个分支。请缓存模型输出或其中的块"],
  [/^the guider asks for (\d+) conditionings at a time, and guidance has two: all are computed$/, "引导器一次要求 $1 个条件，而引导只有两个：全部计算"],
  [/^the recorded picture had no guidance: there is no second branch to leave out$/, "记录的图没有使用引导：没有可省去的第二个分支"],
  [/^the recorded picture had no guidance, so there is no second branch\. Set cfg above 1\.$/, "记录的图没有使用引导，因此没有第二个分支。请把 cfg 设为大于 1。"],
  // plans
  [/^(.+) compensates (.+); only a reused output of the model can be\.$/, "$1 对$2作补偿；只有复用的模型输出可以补偿。"],
  [/^(.+) caches (.+); tolerance and after_guidance are for the model's output\. .+$/, "$1 缓存$2；tolerance 和 after_guidance 只用于模型输出。请把 tolerance 设为 0，after_guidance 设为 false。"],
  [/^(.+) caches (.+); guidance needs a plan of its own beside it\.$/, "$1 缓存$2；引导需要另一个单独的计划。"],
  [/^(.+) looks into the first block, and caches (.+), without the blocks\.$/, "$1 要看第一个块的输入，却缓存$2，而不缓存块。"],
  [/^(.+) tries (.+); allowed are the kinds that it caches, (.+), without the model's output\.$/, "$1 试用 $2；只允许它所缓存的种类（$3），模型输出除外。"],
  [/^(.+) has ranges of blocks; they are for attention and mlp, merged\.$/, "$1 限定了块的范围；这只用于合并的注意力与 MLP。"],
  [/^(.+) has ranges of (.+) that overlap, at block (\d+)\.$/, "$1 在 $2 中的块范围于第 $3 块重叠。"],
  [/^(.+): one decides during the run, the other needs the steps beforehand\. Keep one of them\.$/, "$1：一个在运行中决定，另一个需要事先知道步骤。请只保留其中一个。"],
  // Cache Method
  [/^the changes of this model's time embedding are not known here: every step is computed$/, "此模型时间嵌入的变化在这里未知：每一步都计算"],
  [/^(.+) takes no schedule; (.+) does\. Leave schedule empty\.$/, "$1 不接受步表；可接受的是 $2。请将 schedule 留空。"],
  [/^(.+) is (.+); it counts steps, so set it to a whole number\.$/, "$1 为 $2；它以步计数，请设为整数。"],
  [/^curves were recorded: from the next run on (.+) goes by them$/, "曲线已记录：从下次运行起 $1 按其运行"],
  [/^(.+) has nothing to learn from here: running uncached$/, "$1 在此学不到任何内容：不缓存"],
  [/^the sampler adds noise, leaves steps out, or calls the model between two steps$/, "采样器添加噪声、略去步骤，或在两步之间调用模型"],
  [/^the schedule is for (\d+) steps: it was spread over the (\d+) of this one$/, "步表适用于 $1 步：已按比例分配到此采样的 $2 步"],
  [/^the first blocks of (.+) cannot be read during the run\. (.+)$/, "$1 的前几个块在运行中无法读取。$2"],
  [/^it skips the deep part of a U-Net \(.+\), and (.+) is none\. .+$/, "它跳过 U-Net 的深层部分（Stable Diffusion 1.5、SDXL），而 $1 不是 U-Net。请选择 DBCache（保留前几个块，复用其余的块），或使用 AB-Cache 应用节点。"],
  [/^no (codebook|list|regression|polynomial) was published for (.+)\. (.+)$/, "没有为 $2 公布过数值。$3"],
  [/^it predicts attention alone, which this model does not let itself be reached by\. (\w+) works here\.$/, "它只预测注意力，而在此模型中无法单独触及注意力。这里可用 $1。"],
  [/^its figures were not published, and are a model's own\. (.+)$/, "它的数值没有公布，且因模型而异。$1"],
  [/^its sensitivities are not published\. (.+)$/, "它的灵敏度没有公布。$1"],
  [/^this latent packs video and sound, whose channels differ\. (\w+) works\.$/, "此潜空间合装了视频与声音，两者通道不同。可用 $1。"],
  [/^the input of the first block of (.+) cannot be read, or its blocks cannot be merged\. (.+)$/, "$1 第一个块的输入无法读取，或其块无法合并。$2"],
  [/^the first block of (.+) holds text and picture in one: there is no grid to filter\. (.+)$/, "$1 的第一个块把文本与图像合在一起：没有可滤波的网格。$2"],
  [/^the published schedules are for DiT-XL\/2 and hold for no other model\. .+$/, "公布的步表适用于 DiT-XL/2，对其他模型无效。请把 curves 设为 'learned on this model'，或提供为此模型生成的步表。"],
  [/^the schedule is for attention or MLP alone, and in this model they cannot be told apart\. Name attn and mlp\.$/, "步表只针对注意力或 MLP，而在此模型中两者无法区分。请同时写出 attn 和 mlp。"],
  [/^Set curves to 'learned on this model'\.$/, "请把 curves 设为 'learned on this model'。"],
  [/^Take (\w+)\.$/, "请选用 $1。"],
  // blocks
  [/^(.+) does not show its input, by which steps are chosen: every step is computed$/, "$1 不显示其输入，而选步以它为据：每一步都计算"],
  [/^(.+): its first blocks are not run one after the other: every step is computed$/, "$1：前几个块没有依次运行：每一步都计算"],
  [/^a (.+) has no first block to look into: every step is computed$/, "$1 没有可读取的第一个块：每一步都计算"],
  [/^the input of the first block of (.+) is not known: every step is computed$/, "$1 第一个块的输入未知：每一步都计算"],
  [/^no block runs at every step, to choose steps by: every step is computed$/, "没有每一步都运行的块可供选步：每一步都计算"],
  [/^the model is compiled, and nothing looks into its first block: every step is computed$/, "模型已编译，无法读取其第一个块：每一步都计算"],
  [/^(.+), and its blocks cannot be merged: attention and mlp are computed$/, "$1，且其块无法合并：注意力与 MLP 照常计算"],
  [/^the plan's ranges name no block of this model: attention and mlp are computed$/, "计划的范围不含此模型的任何块：注意力与 MLP 照常计算"],
  [/^attention and mlp cannot be told apart in its blocks$/, "其块中注意力与 MLP 无法区分"],
  [/^the model is compiled$/, "模型已编译"],
  [/^another node edits its streams between the blocks$/, "另一个节点在各块之间改动其数据"],
  [/^its blocks run (\d+) times in a call$/, "其块在一次调用中运行 $1 次"],
  [/^none of its blocks is run by its forward: attention and mlp are computed .+$/, "它的块都不经由自身的 forward 运行：注意力与 MLP 照常计算（AB-Cache 适用于任何模型）"],
  [/^a call that hands out the keys and values of a text is computed, however late it comes$/, "交出文本的键与值的调用总是计算，无论何时"],
  [/^(.+) \((.+)\): attention and mlp are computed$/, "$1（$2）：注意力与 MLP 照常计算"],
  [/^(\d+) of (\d+) layers of the U-Net are reused together$/, "U-Net 的 $2 层中有 $1 层一起复用"],
  // what came to nothing
  [/^nothing was predicted: what is read of the run reached the threshold at each step, or could not be compared with the step before\. .+$/, "没有作任何预测：运行中读取的值每一步都达到阈值，或无法与前一步比较。请调大阈值"],
  [/^nothing was predicted: the sampler stopped before the first step that is predicted, or leaves those steps out$/, "没有作任何预测：采样器在第一个预测步之前停止，或略去了这些步"],
  [/^nothing was predicted: the shapes inside the model changed at each step, and nothing kept fits the next one$/, "没有作任何预测：模型内部的形状每一步都变化，保留的内容对下一步不适用"],
  [/^nothing was predicted: two predictions disagreed by more than tolerance at each step\. .+$/, "没有作任何预测：每一步的两个预测之差都超过 tolerance。请调大 tolerance，或设为 0 以使用固定间隔"],
  [/^nothing was predicted: the model is called past ComfyUI's wrappers, so no output of (.+) was seen$/, "没有作任何预测：模型的调用绕过了 ComfyUI 的包装，因此看不到$1的输出"],
  [/^nothing was predicted: no step that is predicted had a computed output to start from$/, "没有作任何预测：预测步之前没有计算过的输出"],
  [/^(.+) predicts none of (\d+) steps: (.+)$/, "$1 在 $2 步中没有作任何预测：$3"],
  [/^(.+) predicts (\d+) of (\d+) steps: (.+)$/, "$1 在 $3 步中只预测 $2 步：$4"],
  [/^its list of computed steps leaves no more\. Name fewer steps$/, "其计算步列表没有留下更多的步。请列出更少的步"],
  [/^the intervals compute the others\. Set them higher$/, "其余的步由间隔决定计算。请调大间隔"],
  [/^start_percent (.+) to end_percent (.+) leave (\d+) free\. Widen them$/, "start_percent $1 到 end_percent $2 之间只有 $3 步。请放宽"],
  [/^warmup_steps (.+) and final_steps (.+) are computed\. Set warmup_steps lower, .+$/, "warmup_steps $1 和 final_steps $2 总是计算。请调小 warmup_steps，或选用随步数而定的预设 auto"],
  // the last ones fit many
  [/^(.+): running uncached\.$/, "$1：不缓存。"],
  [/^(.+): (.+) cannot be predicted, (.+)$/, "$1：$2 无法预测，$3"],
  [/^(.+): from then on (.+)$/, "$1：之后改为 $2"],
];

/** A sentence of the server in Chinese, with those that are parts of it; one that is not known as it is. */
function inChinese(text) {
  if (Object.hasOwn(KINDS, text)) return KINDS[text];
  const kinds = text.split(" and ");
  if (kinds.every((kind) => Object.hasOwn(KINDS, kind))) return kinds.map((kind) => KINDS[kind]).join("与");
  const [pattern, chinese] = CHINESE.find(([pattern]) => pattern.test(text)) ?? [];
  if (pattern) return text.replace(pattern, (_, ...found) => chinese.replace(/\$(\d)/g, (_, at) => inChinese(found[at - 1])));
  const [subject, ...rest] = text.split(": "), reason = rest.join(": "); // as a method says why it is refused
  return reason && inChinese(reason) !== reason ? `${subject}：${inChinese(reason)}` : text;
}

/** A function that gives a sentence of the server in a language of the page, as far as it can. */
export function sentencesIn(language) {
  return /^zh/i.test(language ?? "") ? inChinese : (text) => text;
}
