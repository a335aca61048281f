//! One node of `hefu`: a folder, a configuration file, a process.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use hefu_conformance::control::{JobOrder, Permit, Reply};
use hefu_conformance::wire::party;
use serde_json::{Value, json};

/// Longest wait for `hefu serve` to listen.
const START: Duration = Duration::from_secs(30);

/// Limits of the node's configuration that the target file declares.
#[derive(Clone)]
pub struct Limits {
    /// limits.idle_timeout_s
    pub idle_timeout: u32,
    /// limits.max_jobs
    pub max_jobs: u32,
}

/// A dataset to be published once the node runs.
struct Loaded {
    name: String,
    file: PathBuf,
    key: String,
    label: Option<String>,
}

/// The node.
pub struct Node {
    hefu: PathBuf,
    folder: PathBuf,
    keep: bool,
    config: String,
    trusted: Vec<(PathBuf, String)>,
    datasets: Vec<Loaded>,
    initialised: bool,
    server: Option<Child>,
}

impl Node {
    /// A new party in a new folder.
    pub fn new(hefu: &Path, limits: Limits, keep: bool) -> Result<Node, String> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|e| e.to_string())?;
        let folder = std::env::temp_dir().join(format!("hefu-adapter-{}", hex::encode(random)));
        fs::create_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        if keep {
            eprintln!("node in {}", folder.display());
        }
        let number = u32::from_be_bytes([random[0], random[1], random[2], random[3]]);
        let config = format!(
            "[party]\nid = \"{}\"\nname = \"Target\"\nalias = \"target\"\n\n[listen]\ninterconnect = \"127.0.0.1:0\"\n\
             control = \"127.0.0.1:0\"\n\n[files]\nstate = \"state\"\n\n[limits]\nmax_jobs = {}\nidle_timeout_s = {}\n",
            party::synthetic(number),
            limits.max_jobs,
            limits.idle_timeout
        );
        Ok(Node {
            hefu: hefu.to_owned(),
            folder,
            keep,
            config,
            trusted: Vec::new(),
            datasets: Vec::new(),
            initialised: false,
            server: None,
        })
    }

    /// Keeps a descriptor to be trusted at the start, and adds what it permits to the configuration.
    pub fn agree(&mut self, descriptor: &str, alias: &str, permits: &[Permit]) -> Result<Reply, String> {
        let party = party::Descriptor::open(descriptor.as_bytes())?.party;
        let file = self.write(&format!("{alias}.party.json"), descriptor)?;
        self.trusted.push((file, alias.to_owned()));
        for permit in permits {
            self.permit(&party, permit);
        }
        Ok(Reply::done())
    }

    fn permit(&mut self, party: &str, permit: &Permit) {
        let quote = |text: &str| Value::from(text).to_string();
        let outputs: Vec<String> = permit.outputs.iter().map(|output| quote(output)).collect();
        self.config.push_str(&format!(
            "\n[[allow]]\nparty = {}\ndataset = {}\npurpose = {}\noutputs = [{}]\napproved = true\n",
            quote(party),
            quote(&permit.dataset),
            quote(&permit.purpose),
            outputs.join(", ")
        ));
        if let Some(rows) = permit.min_rows {
            self.config.push_str(&format!("min_rows = {rows}\n"));
        }
    }

    /// Keeps a file to be published at the start.
    pub fn load(&mut self, name: &str, csv: &str, key: &str, label: Option<String>) -> Result<Reply, String> {
        let file = self.write(&format!("{name}.csv"), csv)?;
        self.datasets.push(Loaded { name: name.to_owned(), file, key: key.to_owned(), label });
        Ok(Reply::done())
    }

    /// Submits a job; a node that cannot stop after alignment trains.
    pub fn submit(&mut self, order: &JobOrder) -> Result<Reply, String> {
        let kind = if order.kind == "align" { "train" } else { &order.kind };
        let collaborators: Vec<Value> =
            order.collaborators.iter().map(|c| json!({ "party": c.party, "dataset": c.dataset })).collect();
        let mut job = json!({
            "kind": kind, "dataset": order.dataset, "purpose": order.purpose, "outputs": order.outputs,
            "join": order.join, "collaborator": collaborators,
        });
        if let Some(model) = &order.model {
            job["model"] = model.as_str().into();
        }
        let file = self.write("job.json", &job.to_string())?;
        let reply = self.json(&["job", "submit", &file.display().to_string()])?;
        let job = reply["job"].as_str().ok_or_else(|| format!("hefu job submit: {reply}"))?;
        Ok(Reply { job: Some(job.to_owned()), ..Reply::done() })
    }

    /// How a job stands.
    pub fn status(&self, job: &str) -> Result<Reply, String> {
        let shown = self.json(&["job", "show", job])?;
        let shown = shown.get("job").filter(|job| job.is_object()).unwrap_or(&shown);
        let state = match shown["state"].as_str().ok_or_else(|| format!("hefu job show: {shown}"))? {
            "SUCCEEDED" => "succeeded",
            "FAILED" | "CANCELLED" | "REJECTED" | "EXPIRED" => "failed",
            _ => "running",
        };
        let error = &shown["failure"];
        let code = error["code"].as_u64().map(|code| code as u32);
        let text = (state == "failed").then(|| error.to_string());
        Ok(Reply { state: Some(state.to_owned()), code, text, ..Reply::done() })
    }

    /// The result of a job that succeeded.
    pub fn result(&self, job: &str) -> Result<Reply, String> {
        let shown = self.json(&["job", "show", job])?;
        match shown.get("result").filter(|result| !result.is_null()) {
            Some(result) => Ok(Reply { result: Some(result.clone()), ..Reply::done() }),
            None => Err("the job has no result".into()),
        }
    }

    /// Initialises and trusts, the first time; ends the process, if it runs; serves; publishes, the first time.
    pub fn restart(&mut self) -> Result<Reply, String> {
        self.stop();
        self.write("node.toml", &self.config)?;
        if !self.initialised {
            self.hefu(&["init"])?;
            for (file, alias) in &self.trusted {
                self.hefu(&["party", "trust", &file.display().to_string(), "--alias", alias])?;
            }
        }
        let address_file = self.folder.join("state/address.json");
        let _ = fs::remove_file(&address_file);
        let log = |name: &str| File::create(self.folder.join(name)).map_err(|e| e.to_string());
        let server = Command::new(&self.hefu)
            .args(["serve", "--config", "node.toml"])
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log("serve.out")?)
            .stderr(log("serve.err")?)
            .spawn()
            .map_err(|e| format!("{}: {e}", self.hefu.display()))?;
        self.server = Some(server);
        let address = self.wait(&address_file)?;
        if !self.initialised {
            for Loaded { name, file, key, label } in &self.datasets {
                let file = file.display().to_string();
                let mut arguments = vec!["dataset", "publish", &file, "--name", name, "--key", key];
                if let Some(label) = label {
                    arguments.extend(["--label", label]);
                }
                self.hefu(&arguments)?;
            }
        }
        self.initialised = true;
        let descriptor =
            fs::read_to_string(self.folder.join("state/party.json")).map_err(|e| format!("party.json: {e}"))?;
        Ok(Reply { address: Some(address), descriptor: Some(descriptor), ..Reply::done() })
    }

    /// Ends the process.
    pub fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    fn wait(&mut self, file: &Path) -> Result<String, String> {
        let begin = Instant::now();
        while begin.elapsed() < START {
            let text = fs::read_to_string(file).unwrap_or_default();
            if let Some(address) =
                serde_json::from_str::<Value>(&text).ok().and_then(|v| v["interconnect"].as_str().map(str::to_owned))
            {
                return Ok(address);
            }
            if let Some(Ok(Some(status))) = self.server.as_mut().map(Child::try_wait) {
                let said = fs::read_to_string(self.folder.join("serve.err")).unwrap_or_default();
                return Err(format!("hefu serve ended with {status}: {}", said.trim()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err("hefu serve does not listen within 30 s".into())
    }

    fn hefu(&self, arguments: &[&str]) -> Result<Output, String> {
        let output = Command::new(&self.hefu)
            .args(arguments)
            .args(["--config", "node.toml"])
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .output()
            .map_err(|e| format!("{}: {e}", self.hefu.display()))?;
        if output.status.success() {
            return Ok(output);
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(format!("hefu {} ended with {}: {}", arguments.join(" "), output.status, said.trim()))
    }

    /// As [`Node::hefu`], with the one object that it prints.
    fn json(&self, arguments: &[&str]) -> Result<Value, String> {
        let output = self.hefu(&[arguments, &["--json"]].concat())?;
        serde_json::from_slice(&output.stdout).map_err(|e| format!("hefu {}: {e}", arguments.join(" ")))
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf, String> {
        let path = self.folder.join(name);
        fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop();
        if !self.keep {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}
