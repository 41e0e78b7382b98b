//! The files of `deploy/` fit each other and the program; this stands in for a container engine.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
};

use acceptance::{Engine, Gateway, Setup, installed};
use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use tempfile::TempDir;

/// Tenths of the exposure that `systemd-analyze security` may find in the unit; a unit without any protection has 96.
const EXPOSURE_MAX: &str = "20";

/// The top of the repository.
fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A file of `deploy/`.
pub(crate) fn read(name: &str) -> Result<String> {
    fs::read_to_string(top().join("deploy").join(name)).with_context(|| format!("deploy/{name}"))
}

/// The same, as YAML.
pub(crate) fn yaml(name: &str) -> Result<Value> {
    serde_saphyr::from_str(&read(name)?).map_err(|error| anyhow!("deploy/{name}: {error}"))
}

/// The texts in a list, or the names in an object; nothing if there is neither.
fn items(value: &Value) -> Vec<&str> {
    let listed = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    listed.chain(value.as_object().into_iter().flatten().map(|(name, _)| name.as_str())).collect()
}

#[test]
fn the_compose_file_names_only_what_there_is() -> Result<()> {
    let compose = yaml("compose.yaml")?;
    let mut services = items(&compose["services"]);
    services.sort_unstable();
    assert_eq!(services, ["collector", "gateway", "grafana", "postgres", "prometheus"]);
    for name in &services {
        let service = &compose["services"][name];
        for needed in items(&service["depends_on"]) {
            assert!(services.contains(&needed), "{name} waits for {needed}");
        }
        for network in items(&service["networks"]) {
            assert!(items(&compose["networks"]).contains(&network), "{name} is in a network {network}");
        }
        for volume in items(&service["volumes"]) {
            let (from, _) = volume.split_once(':').with_context(|| format!("{name}: {volume}"))?;
            let is_there = match from.strip_prefix("./") {
                Some(path) => top().join("deploy").join(path).exists(),
                None => items(&compose["volumes"]).contains(&from),
            };
            assert!(is_there, "{name} wants {from}");
        }
        for port in items(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name} is open to the network: {port}");
        }
        let (image, health) = (service["image"].as_str().context("no image")?, &service["healthcheck"]["test"]);
        let own = *name == "gateway";
        assert!(own || image.rsplit_once(':').is_some_and(|(_, tag)| tag != "latest"), "{image} has no version");
        assert!(own || *name == "collector" || health.is_array(), "nobody asks {name} whether it is well");
    }
    Ok(())
}

#[test]
fn no_secret_of_the_compose_file_has_a_default() -> Result<()> {
    let (text, readme) = (read("compose.yaml")?, read("README.md")?);
    let asked: Vec<_> = text.split("${").skip(1).collect();
    assert!(asked.len() >= 4, "the secrets are not asked for: {asked:?}");
    for variable in asked {
        let (name, _) = variable.split_once(":?").with_context(|| format!("it may be empty: {variable}"))?;
        assert!(readme.contains(&format!("\n{name}=")), "the README does not make {name}");
    }
    let compose = yaml("compose.yaml")?;
    for (service, settings) in compose["services"].as_object().context("no services")? {
        for (name, value) in settings["environment"].as_object().into_iter().flatten() {
            let secret = ["PASSWORD", "SECRET", "__URL"].iter().any(|word| name.contains(word));
            assert!(!secret || value.as_str().is_some_and(|value| value.contains("${")), "{service}: {name}");
        }
    }
    Ok(())
}

#[test]
fn every_setting_that_is_given_exists() -> Result<()> {
    let known: toml::Table = fs::read_to_string(top().join("config/interline.toml"))?.parse()?;
    let (compose, container, unit) = (yaml("compose.yaml")?, read("Containerfile")?, read("interline.service")?);
    let given = items(&compose["services"]["gateway"]["environment"]).join(" ");
    let texts = [given, container, unit, read("README.md")?].join(" ");
    let mut count = 0;
    for rest in texts.split("INTERLINE_").skip(1) {
        let name: String = rest.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
        // Without the two lines it is no setting, but a name of compose's own.
        let Some((section, key)) = name.split_once("__") else { continue };
        let (section, key) = (section.to_lowercase(), key.to_lowercase());
        let is_known = known.get(&section).and_then(|section| section.get(&key)).is_some();
        assert!(is_known, "there is no setting {section}.{key}");
        count += 1;
    }
    assert!(count > 8, "the settings were not found");
    Ok(())
}

#[test]
fn what_watches_the_gateway_looks_where_it_is() -> Result<()> {
    let (compose, prometheus) = (yaml("compose.yaml")?, yaml("prometheus.yml")?);
    let collector = yaml("otel-collector.yaml")?;
    let gateway = &compose["services"]["gateway"]["environment"];
    let port = |address: &Value| -> Result<String> {
        let text = address.as_str().with_context(|| format!("no address: {address}"))?;
        Ok(text.rsplit_once(':').with_context(|| format!("no port: {text}"))?.1.to_owned())
    };
    let metrics = format!("gateway:{}", port(&gateway["INTERLINE_TELEMETRY__METRICS_LISTEN"])?);
    assert_eq!(items(&prometheus["scrape_configs"][0]["static_configs"][0]["targets"]), [metrics]);
    let traces =
        format!("http://collector:{}", port(&collector["receivers"]["otlp"]["protocols"]["http"]["endpoint"])?);
    assert_eq!(gateway["INTERLINE_TELEMETRY__OTLP_ENDPOINT"], traces.as_str());
    let mounted = |service: &str, from: &str| -> Result<String> {
        let volumes = items(&compose["services"][service]["volumes"]);
        let volume = volumes.into_iter().find_map(|volume| volume.strip_prefix(from)?.strip_prefix(':'));
        Ok(volume.with_context(|| format!("{service} does not see {from}"))?.trim_end_matches(":ro").to_owned())
    };
    for rules in items(&prometheus["rule_files"]) {
        assert_eq!(mounted("prometheus", &format!("./{rules}"))?, format!("/etc/prometheus/{rules}"));
    }
    let dashboards = yaml("grafana/provisioning/dashboards/interline.yaml")?;
    assert_eq!(dashboards["providers"][0]["options"]["path"], mounted("grafana", "./grafana/dashboards")?.as_str());
    let source = yaml("grafana/provisioning/datasources/prometheus.yaml")?;
    assert_eq!(source["datasources"][0]["url"], "http://prometheus:9090");
    for (name, pipeline) in collector["service"]["pipelines"].as_object().context("no pipelines")? {
        for part in ["receivers", "processors", "exporters"] {
            let defined = items(&collector[part]);
            let strange: Vec<_> = items(&pipeline[part]).into_iter().filter(|used| !defined.contains(used)).collect();
            assert!(strange.is_empty(), "{name}: there are no {part} {strange:?}");
        }
    }
    Ok(())
}

#[test]
fn the_container_is_made_of_what_there_is_and_is_not_root() -> Result<()> {
    let text = read("Containerfile")?;
    let after = |word: &str| text.lines().filter_map(move |line| line.strip_prefix(word)).collect::<Vec<_>>();
    let mut copied = 0;
    for copy in after("COPY ").into_iter().filter(|copy| !copy.starts_with("--from=")) {
        let words: Vec<_> = copy.split_whitespace().collect();
        let (_, sources) = words.split_last().context("nothing is copied")?;
        for source in sources {
            assert!(top().join(source).exists(), "there is no {source}");
            copied += 1;
        }
    }
    assert!(copied >= 5, "only {copied} sources were found");
    let bases = after("FROM ");
    let release = |base: &&str| base.contains("trixie");
    assert!(bases.len() == 2 && bases.iter().all(release), "two releases of Debian, or none: {bases:?}");
    assert_eq!(after("USER "), ["10001:10001"]);
    Ok(())
}

#[test]
fn the_health_check_of_the_container_tells_a_server_from_none() -> Result<()> {
    let text = read("Containerfile")?;
    let (_, check) = text.split_once("HEALTHCHECK ").context("there is no health check")?;
    let (_, command) = check.split_once("CMD ").context("the health check has no command")?;
    let words: Vec<String> = serde_json::from_str(command.lines().next().unwrap_or_default())?;
    let is_well = |port: &str| -> Result<bool> {
        let words: Vec<_> = words.iter().map(|word| word.replace("8080", port)).collect();
        let (program, arguments) = words.split_first().context("the health check is empty")?;
        Ok(Command::new(program).args(arguments).output()?.status.success())
    };
    let gateway = Gateway::start(Engine::Sqlite, &Setup::two())?;
    let port = gateway.address()?.rsplit_once(':').context("no port")?.1.to_owned();
    assert!(is_well(&port)?, "it does not know a server that is ready");
    // Who takes the connection and says nothing is none.
    let stranger = TcpListener::bind("127.0.0.1:0")?;
    let port = stranger.local_addr()?.port().to_string();
    let answering = std::thread::spawn(move || stranger.accept().map(drop));
    assert!(!is_well(&port)?, "it takes a closed door for a server");
    answering.join().map_err(|_| anyhow!("the stranger failed"))??;
    gateway.finish()
}

#[test]
fn systemd_takes_the_unit_and_finds_little_exposed() -> Result<()> {
    installed("systemd-analyze", "systemd")?;
    let (unit, program) = (read("interline.service")?, "/usr/local/bin/interline");
    assert!(unit.contains(&format!("\nExecStart={program} serve")), "it does not serve");
    // systemd looks whether the program is there.
    let gateway = Gateway::empty(Engine::Sqlite, &Setup::two())?;
    let built = Path::new(gateway.command().get_program()).display().to_string();
    let folder = TempDir::new()?;
    let file = folder.path().join("interline.service");
    fs::write(&file, unit.replace(program, &built))?;
    for arguments in
        [vec!["verify", "--man=no"], vec!["security", "--offline=true", "--no-pager", "--threshold", EXPOSURE_MAX]]
    {
        let output = Command::new("systemd-analyze").args(&arguments).arg(&file).output()?;
        let (told, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {told}{complained}");
        // What it does not know it only warns of.
        assert!(!complained.contains("interline.service"), "{arguments:?}: {complained}");
    }
    Ok(())
}
