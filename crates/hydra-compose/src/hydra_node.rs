//! The `hydra` node: its defaults, its config groups, its types, and what a composition records in it.
//!
//! The values are those of hydra-core 1.3.2, so that `.hydra/hydra.yaml` reads the same. Launchers, sweepers and
//! logging are only data here; this program uses the run directory, the job's name and the overrides.

use super::plugins::PLUGINS;
use super::schema::{ANY, INT, OPTIONAL_BOOL, OPTIONAL_INT, OPTIONAL_STR, STR, Schema};

/// The version of Hydra whose behaviour is implemented.
pub const HYDRA_VERSION: &str = "1.3.2";

const STR_MAP: Option<&Schema> = Some(&Schema::Map { item: STR, optional: false });
const ANY_MAP: Option<&Schema> = Some(&Schema::Map { item: ANY, optional: false });
const STR_LIST: Option<&Schema> = Some(&Schema::List { item: STR, optional: false });

/// The type of the whole node.
pub(super) static HYDRA: Schema = Schema::Struct {
    name: "HydraConf",
    fields: &[
        ("mode", Some(&Schema::RunMode)),
        ("searchpath", STR_LIST),
        ("run", Some(&Schema::Struct { name: "RunDir", fields: &[("dir", STR)] })),
        ("sweep", Some(&Schema::Struct { name: "SweepDir", fields: &[("dir", STR), ("subdir", STR)] })),
        ("hydra_logging", ANY_MAP),
        ("job_logging", ANY_MAP),
        ("sweeper", ANY),
        ("launcher", ANY),
        ("callbacks", ANY_MAP),
        (
            "help",
            Some(&Schema::Struct {
                name: "HelpConf",
                fields: &[("app_name", STR), ("header", STR), ("footer", STR), ("template", STR)],
            }),
        ),
        (
            "hydra_help",
            Some(&Schema::Struct { name: "HydraHelpConf", fields: &[("hydra_help", STR), ("template", STR)] }),
        ),
        ("output_subdir", OPTIONAL_STR),
        (
            "overrides",
            Some(&Schema::Struct { name: "OverridesConf", fields: &[("hydra", STR_LIST), ("task", STR_LIST)] }),
        ),
        ("job", Some(&JOB)),
        ("runtime", Some(&RUNTIME)),
        ("verbose", ANY),
        // Hydra's own groups put an (empty) map here although its structured config does not name it.
        ("env", ANY),
    ],
};

static JOB: Schema = Schema::Struct {
    name: "JobConf",
    fields: &[
        ("name", STR),
        ("chdir", OPTIONAL_BOOL),
        ("override_dirname", STR),
        ("id", STR),
        ("num", INT),
        ("config_name", OPTIONAL_STR),
        ("env_set", STR_MAP),
        ("env_copy", STR_LIST),
        (
            "config",
            Some(&Schema::Struct {
                name: "JobConfig",
                fields: &[(
                    "override_dirname",
                    Some(&Schema::Struct {
                        name: "OverrideDirname",
                        fields: &[("kv_sep", STR), ("item_sep", STR), ("exclude_keys", STR_LIST)],
                    }),
                )],
            }),
        ),
    ],
};

static RUNTIME: Schema = Schema::Struct {
    name: "RuntimeConf",
    fields: &[
        ("version", STR),
        ("version_base", STR),
        ("cwd", STR),
        (
            "config_sources",
            Some(&Schema::List {
                item: Some(&Schema::Struct {
                    name: "ConfigSourceInfo",
                    fields: &[("path", STR), ("schema", STR), ("provider", STR)],
                }),
                optional: false,
            }),
        ),
        ("output_dir", STR),
        ("choices", ANY_MAP),
    ],
};

static BASIC_LAUNCHER: Schema = Schema::Struct { name: "BasicLauncherConf", fields: &[("_target_", STR)] };

static BASIC_SWEEPER: Schema = Schema::Struct {
    name: "BasicSweeperConf",
    fields: &[
        ("_target_", STR),
        ("max_batch_size", OPTIONAL_INT),
        ("params", Some(&Schema::Map { item: STR, optional: true })),
    ],
};

/// A config of Hydra's own, or of a plugin of its.
pub(super) struct Builtin {
    pub(super) text: &'static str,
    /// The type of the node that it becomes.
    pub(super) schema: Option<&'static Schema>,
}

/// A file that comes with Hydra: it is found before any file of a user's.
pub(super) fn packaged(config_path: &str) -> Option<&'static str> {
    FILES.iter().find(|(path, _)| *path == config_path).map(|(_, text)| *text)
}

/// A config that Hydra, or a plugin, has in its store: found where no file has its path.
pub(super) fn stored(config_path: &str) -> Option<Builtin> {
    let own = STORE.iter().find(|(path, ..)| *path == config_path);
    let own = own.map(|&(_, text, schema)| Builtin { text, schema: Some(schema) });
    let plugin = || PLUGINS.iter().find(|plugin| plugin.config == config_path);
    own.or_else(|| plugin().map(|plugin| Builtin { text: plugin.text, schema: plugin.schema }))
}

/// Whether a config is one of a Python plugin, which is not here.
pub(super) fn is_plugin(config_path: &str) -> bool {
    PLUGINS.iter().any(|plugin| plugin.config == config_path)
}

/// The paths of all these configs.
pub(super) fn builtin_paths() -> impl Iterator<Item = &'static str> {
    let own = FILES.iter().map(|(path, _)| *path).chain(STORE.iter().map(|(path, ..)| *path));
    own.chain(PLUGINS.iter().map(|plugin| plugin.config))
}

/// Hydra's structured configs.
const STORE: &[(&str, &str, &Schema)] = &[
    (
        "hydra/config",
        "\
defaults:
  - output: default
  - launcher: basic
  - sweeper: basic
  - help: default
  - hydra_help: default
  - hydra_logging: default
  - job_logging: default
  - callbacks: null
  - env: default
mode: null
searchpath: []
run:
  dir: ???
sweep:
  dir: ???
  subdir: ???
hydra_logging: ???
job_logging: ???
sweeper: ???
launcher: ???
callbacks: {}
help:
  app_name: ???
  header: ???
  footer: ???
  template: ???
hydra_help:
  hydra_help: ???
  template: ???
output_subdir: .hydra
overrides:
  hydra: []
  task: []
job:
  name: ???
  chdir: null
  override_dirname: ???
  id: ???
  num: ???
  config_name: ???
  env_set: {}
  env_copy: []
  config:
    override_dirname:
      kv_sep: '='
      item_sep: ','
      exclude_keys: []
runtime:
  version: ???
  version_base: ???
  cwd: ???
  config_sources: ???
  output_dir: ???
  choices: {}
verbose: false
",
        &HYDRA,
    ),
    ("hydra/launcher/basic", "_target_: hydra._internal.core_plugins.basic_launcher.BasicLauncher\n", &BASIC_LAUNCHER),
    (
        "hydra/sweeper/basic",
        "_target_: hydra._internal.core_plugins.basic_sweeper.BasicSweeper\nmax_batch_size: null\nparams: null\n",
        &BASIC_SWEEPER,
    ),
];

/// The files in Hydra's package.
const FILES: &[(&str, &str)] = &[
    ("hydra/env/default", ""),
    (
        "hydra/output/default",
        "\
# @package hydra
run:
  dir: outputs/${now:%Y-%m-%d}/${now:%H-%M-%S}
sweep:
  dir: multirun/${now:%Y-%m-%d}/${now:%H-%M-%S}
  subdir: ${hydra.job.num}
",
    ),
    (
        "hydra/help/default",
        "\
app_name: ${hydra.job.name}
header: |
  ${hydra.help.app_name} is powered by Hydra.
footer: |
  Powered by Hydra (https://hydra.cc)
  Use --hydra-help to view Hydra specific help
template: |
  ${hydra.help.header}
  == Configuration groups ==
  Compose your configuration from those groups (group=option)

  $APP_CONFIG_GROUPS

  == Config ==
  Override anything in the config (foo.bar=value)

  $CONFIG

  ${hydra.help.footer}
",
    ),
    (
        "hydra/hydra_help/default",
        "\
template: |
  Hydra (${hydra.runtime.version})
  See https://hydra.cc for more info.

  == Flags ==
  $FLAGS_HELP

  == Configuration groups ==
  Compose your configuration from those groups (For example, append hydra/job_logging=disabled to command line)

  $HYDRA_CONFIG_GROUPS

  Use '--cfg hydra' to Show the Hydra config.
",
    ),
    (
        "hydra/hydra_logging/default",
        "\
version: 1
formatters:
  simple:
    format: '[%(asctime)s][HYDRA] %(message)s'
handlers:
  console:
    class: logging.StreamHandler
    formatter: simple
    stream: ext://sys.stdout
root:
  level: INFO
  handlers: [console]
loggers:
  logging_example:
    level: DEBUG
disable_existing_loggers: false
",
    ),
    (
        "hydra/hydra_logging/hydra_debug",
        "\
version: 1
formatters:
  simple:
    format: '[%(asctime)s][%(name)s][%(levelname)s] - %(message)s'
handlers:
  file:
    class: logging.FileHandler
    mode: w
    formatter: simple
    filename: hydra-${hydra.job.name}.log
    delay: true
root:
  level: ERROR
  handlers: [file]
loggers:
  hydra:
    level: DEBUG
disable_existing_loggers: false
",
    ),
    ("hydra/hydra_logging/none", NO_LOGGING),
    ("hydra/hydra_logging/disabled", DISABLED_LOGGING),
    (
        "hydra/job_logging/default",
        "\
version: 1
formatters:
  simple:
    format: '[%(asctime)s][%(name)s][%(levelname)s] - %(message)s'
handlers:
  console:
    class: logging.StreamHandler
    formatter: simple
    stream: ext://sys.stdout
  file:
    class: logging.FileHandler
    formatter: simple
    filename: ${hydra.runtime.output_dir}/${hydra.job.name}.log
root:
  level: INFO
  handlers: [console, file]
disable_existing_loggers: false
",
    ),
    (
        "hydra/job_logging/stdout",
        "\
version: 1
formatters:
  simple:
    format: '%(message)s'
handlers:
  console:
    class: logging.StreamHandler
    formatter: simple
    stream: ext://sys.stdout
root:
  level: INFO
  handlers: [console]
disable_existing_loggers: false
",
    ),
    ("hydra/job_logging/none", NO_LOGGING),
    ("hydra/job_logging/disabled", DISABLED_LOGGING),
];

const NO_LOGGING: &str = "version: 1\nroot: null\ndisable_existing_loggers: false\n";
const DISABLED_LOGGING: &str = "version: 1\nroot:\n  level: ERROR\ndisable_existing_loggers: true\n";
