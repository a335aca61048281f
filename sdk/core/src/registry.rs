//! Texts of the error registry, English and Chinese. Checked against `spec/registry/errors.json` by a test.
use crate::Code;

/// One text in two languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// English.
    pub en: &'static str,
    /// Chinese.
    pub zh: &'static str,
}

/// What the registry says of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// What happened.
    pub cause: Text,
    /// What to do next.
    pub next: Text,
}

/// Code, cause in English and Chinese, next step in English and Chinese; in the order of `Code::ALL`.
type Row = (Code, &'static str, &'static str, &'static str, &'static str);

/// The registry entry of a code.
pub fn entry(code: Code) -> Entry {
    // In bounds: the assertion below holds for every code.
    let (_, cause_en, cause_zh, next_en, next_zh) = TEXTS[TEXTS.partition_point(|row| row.0.number() < code.number())];
    Entry { cause: Text { en: cause_en, zh: cause_zh }, next: Text { en: next_en, zh: next_zh } }
}

/// Every code has its row, in ascending order.
const _: () = {
    assert!(TEXTS.len() == Code::ALL.len());
    let mut at = 0;
    while at < TEXTS.len() {
        assert!(TEXTS[at].0 as u16 == Code::ALL[at] as u16);
        assert!(at == 0 || (TEXTS[at - 1].0 as u16) < TEXTS[at].0 as u16);
        at += 1;
    }
};

const TEXTS: [Row; 74] = [
    (
        Code::PeerUnreachable,
        "The peer's node does not accept a connection.",
        "对方节点无法连接。",
        "Check that the peer's node runs, its address in the descriptor, and the firewall rule for its port.",
        "请确认对方节点已启动、描述文件中的地址正确、防火墙已放行该端口。",
    ),
    (
        Code::PeerSlow,
        "The peer sent nothing within the agreed idle time.",
        "对方在约定的空闲时间内没有发送任何数据。",
        "Ask the peer about load; raise limits.idle_timeout_s on both sides if the link is slow.",
        "请询问对方负载情况；链路较慢时双方调大 limits.idle_timeout_s。",
    ),
    (
        Code::LinkCut,
        "The connection to the peer ended during the job.",
        "作业进行中与对方的连接中断。",
        "Check the peer's node and the network, then submit the job again.",
        "请检查对方节点与网络，然后重新提交作业。",
    ),
    (
        Code::UntrustedCertificate,
        "The certificate is not that of a trusted party, or is outside its validity.",
        "证书不属于受信任的参与方，或不在有效期内。",
        "Exchange party descriptors and run: hefu party trust FILE. Check the clocks of both hosts.",
        "请双方交换参与方描述文件并执行 hefu party trust FILE；检查双方主机时钟。",
    ),
    (
        Code::PortTaken,
        "Another program listens on the configured port.",
        "配置的端口已被其他程序占用。",
        "Stop the other program or set another port under [listen].",
        "请停止占用端口的程序，或在 [listen] 中改用其他端口。",
    ),
    (
        Code::ControlUnreachable,
        "The control side of one's own node does not answer.",
        "无法连接本方节点的控制端口。",
        "Start the node: hefu serve --config FILE. Check that --config names this node.",
        "请启动节点：hefu serve --config FILE；确认 --config 指向该节点。",
    ),
    (
        Code::NoCommonVersion,
        "The parties share no protocol version.",
        "双方没有共同的协议版本。",
        "Compare the versions with hefu party show; upgrade the older node.",
        "请用 hefu party show 比较版本，升级较旧的节点。",
    ),
    (
        Code::NoCommonSuite,
        "The parties share no cipher suite.",
        "双方没有共同的密码套件。",
        "Allow a common suite in both configurations.",
        "请在双方配置中启用共同的密码套件。",
    ),
    (
        Code::Downgrade,
        "The choice differs from what both offers give.",
        "协商结果与双方声明不一致。",
        "Someone altered the negotiation or the peer is faulty; tell its operator.",
        "协商可能被篡改或对方实现有误，请联系对方运维。",
    ),
    (
        Code::TranscriptMismatch,
        "The parties saw different negotiation messages.",
        "各方看到的协商消息不一致。",
        "Someone altered a message on the way; check gateways between the parties.",
        "协商消息可能在途中被修改，请检查中间网关。",
    ),
    (
        Code::UnknownCritical,
        "A critical extension is not known here.",
        "存在本节点不认识的关键扩展。",
        "Leave the extension out or upgrade the node.",
        "请去掉该扩展或升级节点。",
    ),
    (
        Code::UnsupportedPlan,
        "A stage, algorithm or option of the plan is not supported.",
        "计划中的阶段、算法或选项不受支持。",
        "Compare the plan with the peer's capabilities.",
        "请对照对方能力清单修改计划。",
    ),
    (
        Code::SchemaChanged,
        "The dataset's schema is not the one that the job cites.",
        "数据集的结构与作业引用的不一致。",
        "Fetch the dataset's schema again and submit a new job.",
        "请重新获取数据集结构并提交新作业。",
    ),
    (
        Code::NotAllowed,
        "No allow entry permits this party, dataset, purpose and output.",
        "没有授权条目允许该参与方、数据集、用途和输出。",
        "Ask the dataset's office for an [[allow]] entry, or change the purpose or outputs.",
        "请向数据管理方申请 [[allow]] 授权条目，或修改用途、输出。",
    ),
    (
        Code::WrongParty,
        "The identity of the connection is not the one that the message claims.",
        "连接身份与消息声明的参与方不一致。",
        "Use the certificate of the party that opened the session.",
        "请使用发起会话的参与方的证书。",
    ),
    (
        Code::NotModelOwner,
        "The model belongs to another party.",
        "该模型属于其他参与方。",
        "Only the owner of a model can score with it.",
        "只有模型所有者可以使用该模型评分。",
    ),
    (
        Code::UnknownParty,
        "A party of the session has no trusted descriptor here.",
        "会话中有参与方在本节点没有受信任的描述文件。",
        "Run: hefu party trust FILE with that party's descriptor.",
        "请用该参与方的描述文件执行 hefu party trust FILE。",
    ),
    (
        Code::OverBudget,
        "The query budget for this party and model is used up.",
        "该参与方对该模型的查询额度已用完。",
        "Ask the dataset's office for a larger budget.",
        "请向数据管理方申请增加额度。",
    ),
    (
        Code::WrongState,
        "The call does not fit the state of the session or job.",
        "该调用与会话或作业的状态不符。",
        "Look at the state: hefu job show ID.",
        "请查看状态：hefu job show ID。",
    ),
    (Code::UnknownSession, "No such session here.", "本节点没有该会话。", "Open a new session.", "请建立新的会话。"),
    (
        Code::ReplayedSession,
        "A session with this id was seen before.",
        "该会话编号已被使用过。",
        "Draw a fresh session id.",
        "请使用新的会话编号。",
    ),
    (
        Code::Conflict,
        "The same sequence number came twice with different content.",
        "同一序号出现了两次不同的内容。",
        "The peer is faulty or someone interferes; tell its operator.",
        "对方实现有误或链路被干扰，请联系对方运维。",
    ),
    (
        Code::OutOfOrder,
        "A frame is missing.",
        "缺少数据帧。",
        "Submit the job again; if it recurs, the peer is faulty.",
        "请重新提交作业；若反复出现，则对方实现有误。",
    ),
    (
        Code::UnexpectedMessage,
        "A message came that this step does not expect.",
        "收到当前步骤不应出现的消息。",
        "Compare the versions of both nodes.",
        "请比较双方节点版本。",
    ),
    (
        Code::Cancelled,
        "The job was cancelled by its owner.",
        "作业已被其所有者取消。",
        "Submit it again when needed.",
        "需要时请重新提交。",
    ),
    (
        Code::PeerAborted,
        "Another party ended the job.",
        "其他参与方终止了作业。",
        "See the cause it gave; look at that party's node.",
        "请查看其给出的原因并检查该方节点。",
    ),
    (
        Code::StaleRound,
        "A value belongs to another round.",
        "数值属于其他轮次。",
        "The peer is faulty; tell its operator.",
        "对方实现有误，请联系对方运维。",
    ),
    (
        Code::UnknownJob,
        "No such job here.",
        "本节点没有该作业。",
        "List jobs with: hefu job list.",
        "请用 hefu job list 查看作业。",
    ),
    (
        Code::NodeStopped,
        "The node was stopped while the job ran.",
        "作业运行时节点被停止。",
        "Start the node and submit the job again.",
        "请启动节点并重新提交作业。",
    ),
    (
        Code::TooManyRounds,
        "Training did not converge within the announced number of evaluations.",
        "训练在声明的评估次数内没有收敛。",
        "Raise max_evaluations, or drop columns that are nearly equal.",
        "请调大 max_evaluations，或删除近似重复的列。",
    ),
    (
        Code::BadSignature,
        "A signature does not verify.",
        "签名验证失败。",
        "Exchange descriptors again; someone may have altered the message.",
        "请重新交换描述文件；消息可能被篡改。",
    ),
    (
        Code::BadSeal,
        "A sealed frame does not open.",
        "密封的数据帧无法打开。",
        "The keys differ or the frame was altered on the way.",
        "密钥不一致或数据帧在途中被修改。",
    ),
    (
        Code::BadElement,
        "A group element or residue is not valid.",
        "群元素或余数无效。",
        "The peer is faulty or dishonest; tell its operator.",
        "对方实现有误或不诚实，请联系对方运维。",
    ),
    (
        Code::DuplicateElement,
        "An element or seed came twice.",
        "元素或种子重复出现。",
        "The peer is faulty or dishonest; tell its operator.",
        "对方实现有误或不诚实，请联系对方运维。",
    ),
    (
        Code::MalformedMessage,
        "A message does not have its format.",
        "消息格式不正确。",
        "Compare the versions of both nodes.",
        "请比较双方节点版本。",
    ),
    (
        Code::MalformedFrame,
        "A frame's header does not have its format.",
        "数据帧头格式不正确。",
        "Compare the versions of both nodes.",
        "请比较双方节点版本。",
    ),
    (
        Code::MalformedDocument,
        "A signed document does not have its format.",
        "签名文档格式不正确。",
        "Compare the versions of both nodes.",
        "请比较双方节点版本。",
    ),
    (
        Code::BadDigest,
        "A digest does not match its content.",
        "摘要与内容不符。",
        "Send it again; if it recurs, the peer is faulty.",
        "请重新发送；若反复出现，则对方实现有误。",
    ),
    (
        Code::ShapeMismatch,
        "A vector has another shape than this step expects.",
        "向量形状与当前步骤不符。",
        "Compare the versions of both nodes.",
        "请比较双方节点版本。",
    ),
    (
        Code::NoiseBudget,
        "The job's noise would exceed what keeps answers hidden or correct.",
        "作业噪声超出保密或正确性的允许范围。",
        "Lower max_evaluations or the number of columns.",
        "请减少 max_evaluations 或列数。",
    ),
    (
        Code::NormTooLarge,
        "A column is too large for the fixed-point range.",
        "某列超出定点数范围。",
        "Cut extreme values of the column, or use fewer rows.",
        "请截断该列极端值，或减少行数。",
    ),
    (
        Code::BadPosition,
        "An alignment position is out of range or used twice.",
        "对齐位置越界或重复。",
        "The peer is faulty; tell its operator.",
        "对方实现有误，请联系对方运维。",
    ),
    (
        Code::BadPartyId,
        "A party id or enterprise code is not valid.",
        "参与方编号或统一社会信用代码无效。",
        "Check the code's characters and its check digit.",
        "请检查代码字符与校验位。",
    ),
    (
        Code::ScalarTooLarge,
        "A value leaves its fixed-point range.",
        "数值超出定点数范围。",
        "Look for extreme values or nearly separable data; raise lambda.",
        "请检查极端值或近似可分的数据；可调大 lambda。",
    ),
    (
        Code::PredictorTooLarge,
        "Scores grow beyond every registered sine set.",
        "预测值超出所有已登记的正弦组范围。",
        "The data are separable or have extreme values: cut them, or raise lambda.",
        "数据可分或有极端值：请截断，或调大 lambda。",
    ),
    (
        Code::MissingColumn,
        "A named column is not in the file.",
        "文件中没有指定的列。",
        "Compare the column name with the file's first line.",
        "请对照文件首行检查列名。",
    ),
    (
        Code::NotANumber,
        "A cell is not a decimal number.",
        "单元格不是十进制数。",
        "Correct the cell at the given row and column.",
        "请修正所示行、列的单元格。",
    ),
    (
        Code::BadLabel,
        "A label is not 0 or 1.",
        "标签不是 0 或 1。",
        "Correct the label at the given row.",
        "请修正所示行的标签。",
    ),
    (
        Code::OneClass,
        "The label has only one value in the training or test rows.",
        "训练集或测试集的标签只有一个取值。",
        "Use a sample with both outcomes in both parts.",
        "请使用两类结果齐备的样本。",
    ),
    (
        Code::ConstantColumn,
        "A column has one value on all training rows.",
        "某列在训练行上为常数。",
        "Leave the named column out.",
        "请去掉该列。",
    ),
    (
        Code::EmptyFile,
        "The file has no rows.",
        "文件没有数据行。",
        "Check the path and the export.",
        "请检查路径与导出。",
    ),
    (
        Code::EmptyCell,
        "A cell is empty.",
        "单元格为空。",
        "Fill it, or use --missing mean.",
        "请补全，或使用 --missing mean。",
    ),
    (
        Code::NoValidKey,
        "No row has a valid key.",
        "没有任何行具有有效主键。",
        "Check the key column and its format.",
        "请检查主键列及其格式。",
    ),
    (
        Code::EmptyIntersection,
        "The parties have no row in common.",
        "各方没有共同的行。",
        "Check that all parties use the same key and format.",
        "请确认各方使用相同的主键与格式。",
    ),
    (
        Code::TooFewRows,
        "There are too few rows for the columns.",
        "相对于列数，行数过少。",
        "Use more rows, fewer columns, or a smaller max_evaluations.",
        "请增加行、减少列，或减小 max_evaluations。",
    ),
    (
        Code::TooFewColumns,
        "A party with fewer than three columns needs its office's consent.",
        "列数少于三的参与方须经其管理方同意。",
        "Add columns, or let the office permit few-columns.",
        "请增加列，或由管理方许可 few-columns。",
    ),
    (
        Code::RareValues,
        "A column takes another than its usual value in too few rows.",
        "某列偏离众数的行过少。",
        "Leave the column out, or let its office permit rare-values.",
        "请去掉该列，或由其管理方许可 rare-values。",
    ),
    (
        Code::UnknownDataset,
        "No dataset of this name is published.",
        "没有发布该名称的数据集。",
        "Compare the name with: hefu dataset list.",
        "请用 hefu dataset list 核对名称。",
    ),
    (
        Code::UnknownModel,
        "No such model here.",
        "本节点没有该模型。",
        "Check the model id; train again if it was removed.",
        "请检查模型编号；若已删除请重新训练。",
    ),
    (
        Code::Separable,
        "The outcome is almost separable by the columns: coefficients depend on the penalty alone.",
        "结果几乎可被各列完全区分：系数仅由惩罚项决定。",
        "A warning. Look for a column that knows the outcome.",
        "警告。请检查是否有列泄漏了结果。",
    ),
    (
        Code::BadFile,
        "The file cannot be read as CSV.",
        "文件无法按 CSV 读取。",
        "Check encoding (UTF-8), quotes and the number of fields at the given row.",
        "请检查编码（UTF-8）、引号及所示行的字段数。",
    ),
    (
        Code::ModelMismatch,
        "The data lack a column that the model needs.",
        "数据缺少模型所需的列。",
        "Use a file with the model's columns.",
        "请使用包含模型各列的文件。",
    ),
    (
        Code::HighLeverage,
        "One row has more than 1/50 of the leverage of a column.",
        "某一行在某列上的杠杆值超过五十分之一。",
        "A warning. Cut the column's extreme values: the joint gradient tells most about such a row.",
        "警告。请截断该列的极端值：联合梯度对这样的行透露最多。",
    ),
    (
        Code::BadSchema,
        "The schema is not a JSON Schema of a flat table.",
        "该模式不是平面表的 JSON Schema。",
        "Correct the schema at the given place; the tables of the data dictionary show the form.",
        "请修正所示位置的模式；数据字典各表可作为范例。",
    ),
    (
        Code::SchemaViolation,
        "The data do not keep to their schema.",
        "数据不符合其模式。",
        "Correct the listed columns and rows at the source, then check the file again.",
        "请在源头修正所列的行和列，然后重新校验文件。",
    ),
    (
        Code::RemoteReference,
        "The schema refers to another document.",
        "模式引用了另一份文档。",
        "Put the referenced part under $defs of the same schema; nothing is fetched.",
        "请把被引用的部分放入同一模式的 $defs；本程序不会下载任何文档。",
    ),
    (
        Code::LineTooLong,
        "A row is longer than 1 MiB.",
        "某一行超过 1 MiB。",
        "Look for a missing line end or closing quote at the given row.",
        "请检查所示行处是否缺少换行符或右引号。",
    ),
    (
        Code::MessageTooLarge,
        "A message exceeds the negotiated size.",
        "消息超过协商的大小。",
        "Raise limits.max_message_bytes on both sides.",
        "请双方调大 limits.max_message_bytes。",
    ),
    (Code::TooManyJobs, "The node runs its maximum of jobs.", "节点运行的作业已达上限。", "Try later.", "请稍后再试。"),
    (
        Code::TooManyRows,
        "More rows than the node accepts.",
        "行数超过节点允许的上限。",
        "Raise limits.max_rows or use fewer rows.",
        "请调大 limits.max_rows 或减少行数。",
    ),
    (
        Code::Disk,
        "The node cannot write to its state folder.",
        "节点无法写入状态目录。",
        "Free space or correct permissions, then start the node again.",
        "请释放空间或修正权限后重启节点。",
    ),
    (
        Code::Configuration,
        "The configuration is not valid.",
        "配置无效。",
        "Correct the named entry; see docs for an example.",
        "请修正所示条目；示例见文档。",
    ),
    (
        Code::Internal,
        "A fault of this program.",
        "程序内部错误。",
        "Report it with the version and this message.",
        "请附版本和此消息上报。",
    ),
    (Code::Usage, "The command line is not valid.", "命令行参数无效。", "See --help.", "请查看 --help。"),
];
