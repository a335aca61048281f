//! A trainer that is a program of any language: one JSON object a line on its standard input and output.
//!
//! ```text
//! → {"type":"start","columns":["x1"],"label":"label","rows_file":"/path/rows.csv",
//!    "tensors":[{"name":"coefficients","shape":[1]}]}
//! ← {"type":"ready","rows":600}
//! → {"type":"train","round":2,"epochs":1,"proximal":0.0,"tensors":{"coefficients":[0.0]}}
//! ← {"type":"update","rows":600,"tensors":{"coefficients":[0.1]}}
//! → {"type":"stop"}
//! ```
//!
//! The file of rows holds this party's own training rows, standardised, readable by its owner only; it is removed with
//! the trainer. What the program writes to standard error goes to the node's log.
use crate::files;
use hefu_model::pooled::{Task, TensorShape, Trainer, TrainerError, TrainerKind, TrainingRows, Update};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// The column of the label in the file of rows.
const LABEL: &str = "label";
/// How long a program may take for one answer.
const PATIENCE: Duration = Duration::from_secs(3600);
/// Longest line that a program may answer, in bytes.
const MAX_LINE: u64 = 1 << 30;

/// A program that trains, from the configuration.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// The program and its arguments.
    pub(crate) command: Vec<String>,
    /// The folder for its file of rows.
    pub(crate) folder: PathBuf,
}

impl TrainerKind for Program {
    fn start(&self, rows: TrainingRows) -> Result<Box<dyn Trainer>, TrainerError> {
        let random = crate::random::<8>().map_err(|_| TrainerError::new("no randomness"))?;
        let path = self.folder.join(format!("rows-{}.csv", hex::encode(random)));
        let written = write_rows(&rows, &path);
        let file = RowsFile(path);
        written?;
        let (program, arguments) =
            self.command.split_first().ok_or_else(|| TrainerError::new("the trainer's command is empty"))?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| TrainerError::new(format!("the trainer cannot be started: {}", e.kind())))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(TrainerError::new("the trainer has no standard input or output"));
        };
        let mut running = Running { child, input, lines: lines(output), tensors: rows.tensors, file };
        let names: Vec<&str> = (0..rows.columns.count()).map(|j| rows.columns.name(j)).collect();
        let tensors: Vec<Value> = running.tensors.iter().map(|t| json!({"name": t.name, "shape": t.shape})).collect();
        let start = json!({
            "type": "start", "columns": names, "label": LABEL, "rows_file": running.file.0, "tensors": tensors,
        });
        running.ask(&start, "ready")?;
        Ok(Box::new(running))
    }
}

/// The file of rows; removed on drop.
struct RowsFile(PathBuf);

impl Drop for RowsFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn write_rows(rows: &TrainingRows, path: &std::path::Path) -> Result<(), TrainerError> {
    let failed = |e: std::io::Error| TrainerError::new(format!("the file of rows cannot be written: {}", e.kind()));
    let mut file = std::io::BufWriter::new(files::create_private(path).map_err(failed)?);
    let mut line: String = (0..rows.columns.count()).map(|j| format!("{},", quoted(rows.columns.name(j)))).collect();
    line.push_str(LABEL);
    for (row, label) in rows.labels.iter().enumerate() {
        writeln!(file, "{line}").map_err(failed)?;
        line.clear();
        for column in rows.columns.iter() {
            let _ = write!(line, "{},", column[row]);
        }
        let _ = write!(line, "{label}");
    }
    writeln!(file, "{line}").and_then(|()| file.flush()).map_err(failed)
}

fn quoted(name: &str) -> String {
    if name.contains([',', '"', '\n', '\r']) { format!("\"{}\"", name.replace('"', "\"\"")) } else { name.to_owned() }
}

/// Reads the program's answers on a thread of their own, so that a silent program can be given up.
fn lines(output: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = sync_channel(1);
    std::thread::spawn(move || {
        let mut reader = BufReader::new(output);
        loop {
            let mut line = String::new();
            match std::io::Read::take(&mut reader, MAX_LINE).read_line(&mut line) {
                Ok(1..) if line.ends_with('\n') => {}
                _ => return,
            }
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

struct Running {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    tensors: Vec<TensorShape>,
    file: RowsFile,
}

impl Running {
    fn ask(&mut self, request: &Value, expected: &str) -> Result<Map<String, Value>, TrainerError> {
        writeln!(self.input, "{request}")
            .and_then(|()| self.input.flush())
            .map_err(|_| TrainerError::new("the trainer program has ended"))?;
        let line = self.lines.recv_timeout(PATIENCE).map_err(|e| match e {
            RecvTimeoutError::Timeout => TrainerError::new("the trainer program does not answer"),
            RecvTimeoutError::Disconnected => TrainerError::new("the trainer program has ended"),
        })?;
        match serde_json::from_str(&line) {
            Ok(Value::Object(answer)) if answer.get("type").and_then(Value::as_str) == Some(expected) => Ok(answer),
            _ => Err(TrainerError::new(format!("the trainer answered something that is no {expected:?} object"))),
        }
    }
}

impl Trainer for Running {
    fn train(&mut self, task: Task<'_>) -> Result<Update, TrainerError> {
        let named: Map<String, Value> =
            self.tensors.iter().zip(task.tensors).map(|(shape, values)| (shape.name.clone(), json!(values))).collect();
        let request = json!({
            "type": "train", "round": task.round, "epochs": task.epochs, "proximal": task.proximal, "tensors": named,
        });
        let answer = self.ask(&request, "update")?;
        let rows = answer.get("rows").and_then(Value::as_u64);
        let rows = rows.ok_or_else(|| TrainerError::new("the trainer's update has no number of rows"))?;
        let tensor = |shape: &TensorShape| {
            let values = answer.get("tensors").and_then(|t| t.get(&shape.name)).and_then(Value::as_array);
            let values: Option<Vec<f64>> = values.and_then(|v| v.iter().map(Value::as_f64).collect());
            let missing =
                || TrainerError::new(format!("the trainer's tensor {:?} is not a list of numbers", shape.name));
            let values = values.ok_or_else(missing)?;
            if values.len() == shape.elements() {
                Ok(values)
            } else {
                Err(TrainerError::new(format!("the trainer's tensor {:?} has another shape", shape.name)))
            }
        };
        let tensors = self.tensors.iter().map(tensor).collect::<Result<_, _>>()?;
        Ok(Update { rows, tensors })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = writeln!(self.input, "{}", json!({"type": "stop"}));
        let _ = self.input.flush();
        // A program that minds its end has a moment for it.
        for _ in 0..20 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
