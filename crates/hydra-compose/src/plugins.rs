//! The configs of the plugins that are published with Hydra: launchers, sweepers, coloured logs.
//!
//! They are Python, so nothing here can run under one. Their configs are data: what a tree chooses of them composes and
//! shows as with the plugin installed. Values and types are those of the releases for Hydra 1.3: hydra-joblib-launcher 1.2.0,
//! hydra-submitit-launcher 1.2.0, hydra-ray-launcher 1.2.2, hydra-rq-launcher 1.2.0, hydra-optuna-sweeper 1.3.0,
//! hydra-nevergrad-sweeper 1.2.0, hydra-ax-sweeper 1.2.0, hydra-colorlog 1.2.0.

use super::schema::{ANY, BOOL, FLOAT, INT, OPTIONAL_FLOAT, OPTIONAL_INT, OPTIONAL_STR, STR, Schema};

/// A config that a plugin brings.
pub(super) struct Plugin {
    /// Its path without `.yaml`.
    pub(super) config: &'static str,
    pub(super) text: &'static str,
    /// The type of the node that it becomes; none for plain files.
    pub(super) schema: Option<&'static Schema>,
}

/// The configs, sorted.
pub(super) const PLUGINS: &[Plugin] = &[
    Plugin {
        config: "hydra/hydra_logging/colorlog",
        text: include_str!("plugins/hydra_logging/colorlog.yaml"),
        schema: None,
    },
    Plugin {
        config: "hydra/job_logging/colorlog",
        text: include_str!("plugins/job_logging/colorlog.yaml"),
        schema: None,
    },
    Plugin {
        config: "hydra/launcher/joblib",
        text: include_str!("plugins/launcher/joblib.yaml"),
        schema: Some(&JOB_LIB_LAUNCHER_CONF),
    },
    Plugin {
        config: "hydra/launcher/ray",
        text: include_str!("plugins/launcher/ray.yaml"),
        schema: Some(&RAY_LAUNCHER_CONF),
    },
    Plugin {
        config: "hydra/launcher/ray_aws",
        text: include_str!("plugins/launcher/ray_aws.yaml"),
        schema: Some(&RAY_AWS_LAUNCHER_CONF),
    },
    Plugin {
        config: "hydra/launcher/rq",
        text: include_str!("plugins/launcher/rq.yaml"),
        schema: Some(&RQ_LAUNCHER_CONF),
    },
    Plugin {
        config: "hydra/launcher/submitit_local",
        text: include_str!("plugins/launcher/submitit_local.yaml"),
        schema: Some(&LOCAL_QUEUE_CONF),
    },
    Plugin {
        config: "hydra/launcher/submitit_slurm",
        text: include_str!("plugins/launcher/submitit_slurm.yaml"),
        schema: Some(&SLURM_QUEUE_CONF),
    },
    Plugin {
        config: "hydra/sweeper/ax",
        text: include_str!("plugins/sweeper/ax.yaml"),
        schema: Some(&AX_SWEEPER_CONF),
    },
    Plugin {
        config: "hydra/sweeper/nevergrad",
        text: include_str!("plugins/sweeper/nevergrad.yaml"),
        schema: Some(&NEVERGRAD_SWEEPER_CONF),
    },
    Plugin {
        config: "hydra/sweeper/optuna",
        text: include_str!("plugins/sweeper/optuna.yaml"),
        schema: Some(&OPTUNA_SWEEPER_CONF),
    },
    Plugin {
        config: "hydra/sweeper/sampler/cmaes",
        text: include_str!("plugins/sweeper/sampler/cmaes.yaml"),
        schema: Some(&CMA_ES_SAMPLER_CONFIG),
    },
    Plugin {
        config: "hydra/sweeper/sampler/grid",
        text: include_str!("plugins/sweeper/sampler/grid.yaml"),
        schema: Some(&GRID_SAMPLER_CONFIG),
    },
    Plugin {
        config: "hydra/sweeper/sampler/motpe",
        text: include_str!("plugins/sweeper/sampler/motpe.yaml"),
        schema: Some(&MOTPE_SAMPLER_CONFIG),
    },
    Plugin {
        config: "hydra/sweeper/sampler/nsgaii",
        text: include_str!("plugins/sweeper/sampler/nsgaii.yaml"),
        schema: Some(&NSGAII_SAMPLER_CONFIG),
    },
    Plugin {
        config: "hydra/sweeper/sampler/random",
        text: include_str!("plugins/sweeper/sampler/random.yaml"),
        schema: Some(&RANDOM_SAMPLER_CONFIG),
    },
    Plugin {
        config: "hydra/sweeper/sampler/tpe",
        text: include_str!("plugins/sweeper/sampler/tpe.yaml"),
        schema: Some(&TPE_SAMPLER_CONFIG),
    },
];

static JOB_LIB_LAUNCHER_CONF: Schema = Schema::Struct {
    name: "JobLibLauncherConf",
    fields: &[
        ("_target_", STR),
        ("n_jobs", INT),
        ("backend", OPTIONAL_STR),
        ("prefer", STR),
        ("require", OPTIONAL_STR),
        ("verbose", INT),
        ("timeout", OPTIONAL_FLOAT),
        ("pre_dispatch", STR),
        ("batch_size", STR),
        ("temp_folder", OPTIONAL_STR),
        ("max_nbytes", OPTIONAL_STR),
        ("mmap_mode", STR),
    ],
};

static LOCAL_QUEUE_CONF: Schema = Schema::Struct {
    name: "LocalQueueConf",
    fields: &[
        ("submitit_folder", STR),
        ("timeout_min", INT),
        ("cpus_per_task", OPTIONAL_INT),
        ("gpus_per_node", OPTIONAL_INT),
        ("tasks_per_node", INT),
        ("mem_gb", OPTIONAL_INT),
        ("nodes", INT),
        ("name", STR),
        ("stderr_to_stdout", BOOL),
        ("_target_", STR),
    ],
};

static SLURM_QUEUE_CONF: Schema = Schema::Struct {
    name: "SlurmQueueConf",
    fields: &[
        ("submitit_folder", STR),
        ("timeout_min", INT),
        ("cpus_per_task", OPTIONAL_INT),
        ("gpus_per_node", OPTIONAL_INT),
        ("tasks_per_node", INT),
        ("mem_gb", OPTIONAL_INT),
        ("nodes", INT),
        ("name", STR),
        ("stderr_to_stdout", BOOL),
        ("_target_", STR),
        ("partition", OPTIONAL_STR),
        ("qos", OPTIONAL_STR),
        ("comment", OPTIONAL_STR),
        ("constraint", OPTIONAL_STR),
        ("exclude", OPTIONAL_STR),
        ("gres", OPTIONAL_STR),
        ("cpus_per_gpu", OPTIONAL_INT),
        ("gpus_per_task", OPTIONAL_INT),
        ("mem_per_gpu", OPTIONAL_STR),
        ("mem_per_cpu", OPTIONAL_STR),
        ("account", OPTIONAL_STR),
        ("signal_delay_s", INT),
        ("max_num_timeout", INT),
        ("additional_parameters", Some(&Schema::Map { item: ANY, optional: false })),
        ("array_parallelism", INT),
        ("setup", Some(&Schema::List { item: STR, optional: true })),
    ],
};

static RAY_CONF: Schema = Schema::Struct {
    name: "RayConf",
    fields: &[
        ("init", Some(&Schema::Map { item: ANY, optional: false })),
        ("remote", Some(&Schema::Map { item: ANY, optional: false })),
    ],
};

static RAY_LAUNCHER_CONF: Schema =
    Schema::Struct { name: "RayLauncherConf", fields: &[("_target_", STR), ("ray", Some(&RAY_CONF))] };

static ENV_SETUP_CONF: Schema = Schema::Struct {
    name: "EnvSetupConf",
    fields: &[
        ("pip_packages", Some(&Schema::Map { item: STR, optional: false })),
        ("commands", Some(&Schema::List { item: STR, optional: false })),
    ],
};

static RAY_DOCKER_CONF: Schema = Schema::Struct {
    name: "RayDockerConf",
    fields: &[
        ("image", STR),
        ("container_name", STR),
        ("pull_before_run", BOOL),
        ("run_options", Some(&Schema::List { item: STR, optional: false })),
    ],
};

static RAY_PROVIDER_CONF: Schema = Schema::Struct {
    name: "RayProviderConf",
    fields: &[
        ("type", STR),
        ("region", STR),
        ("availability_zone", STR),
        ("cache_stopped_nodes", BOOL),
        ("key_pair", Some(&Schema::Map { item: STR, optional: false })),
    ],
};

static RAY_CLUSTER_CONF: Schema = Schema::Struct {
    name: "RayClusterConf",
    fields: &[
        ("cluster_name", STR),
        ("min_workers", INT),
        ("upscaling_speed", FLOAT),
        ("max_workers", INT),
        ("initial_workers", INT),
        ("autoscaling_mode", Some(&Schema::Enum { names: &["default", "aggressive"] })),
        ("target_utilization_fraction", FLOAT),
        ("idle_timeout_minutes", INT),
        ("docker", Some(&RAY_DOCKER_CONF)),
        ("provider", Some(&RAY_PROVIDER_CONF)),
        ("auth", Some(&Schema::Map { item: STR, optional: false })),
        ("available_node_types", Some(&Schema::Map { item: ANY, optional: false })),
        ("head_node_type", STR),
        ("file_mounts", Some(&Schema::Map { item: STR, optional: false })),
        ("initialization_commands", Some(&Schema::List { item: STR, optional: false })),
        ("cluster_synced_files", Some(&Schema::List { item: STR, optional: false })),
        ("setup_commands", Some(&Schema::List { item: STR, optional: false })),
        ("head_setup_commands", Some(&Schema::List { item: STR, optional: false })),
        ("worker_setup_commands", Some(&Schema::List { item: STR, optional: false })),
        ("head_start_ray_commands", Some(&Schema::List { item: STR, optional: false })),
        ("worker_start_ray_commands", Some(&Schema::List { item: STR, optional: false })),
    ],
};

static RAY_AWS_CONF: Schema = Schema::Struct {
    name: "RayAWSConf",
    fields: &[
        ("init", Some(&Schema::Map { item: ANY, optional: false })),
        ("remote", Some(&Schema::Map { item: ANY, optional: false })),
        ("cluster", Some(&RAY_CLUSTER_CONF)),
        ("run_env", Some(&Schema::Enum { names: &["auto", "host", "docker"] })),
    ],
};

static RSYNC_CONF: Schema = Schema::Struct {
    name: "RsyncConf",
    fields: &[
        ("source_dir", OPTIONAL_STR),
        ("target_dir", OPTIONAL_STR),
        ("include", Some(&Schema::List { item: STR, optional: false })),
        ("exclude", Some(&Schema::List { item: STR, optional: false })),
    ],
};

static RAY_LOGGING_CONF: Schema = Schema::Struct {
    name: "RayLoggingConf",
    fields: &[
        ("log_style", Some(&Schema::Enum { names: &["auto", "pretty", "record"] })),
        ("color_mode", Some(&Schema::Enum { names: &["true", "false", "auto"] })),
        ("verbosity", INT),
    ],
};

static RAY_CREATE_OR_UPDATE_CLUSTER_CONF: Schema = Schema::Struct {
    name: "RayCreateOrUpdateClusterConf",
    fields: &[("no_restart", BOOL), ("restart_only", BOOL), ("no_config_cache", BOOL)],
};

static RAY_TEARDOWN_CLUSTER_CONF: Schema =
    Schema::Struct { name: "RayTeardownClusterConf", fields: &[("workers_only", BOOL), ("keep_min_workers", BOOL)] };

static RAY_AWS_LAUNCHER_CONF: Schema = Schema::Struct {
    name: "RayAWSLauncherConf",
    fields: &[
        ("_target_", STR),
        ("env_setup", Some(&ENV_SETUP_CONF)),
        ("ray", Some(&RAY_AWS_CONF)),
        ("stop_cluster", BOOL),
        ("sync_up", Some(&RSYNC_CONF)),
        ("sync_down", Some(&RSYNC_CONF)),
        ("logging", Some(&RAY_LOGGING_CONF)),
        ("create_update_cluster", Some(&RAY_CREATE_OR_UPDATE_CLUSTER_CONF)),
        ("teardown_cluster", Some(&RAY_TEARDOWN_CLUSTER_CONF)),
    ],
};

static ENQUEUE_CONF: Schema = Schema::Struct {
    name: "EnqueueConf",
    fields: &[
        ("job_timeout", OPTIONAL_STR),
        ("ttl", OPTIONAL_STR),
        ("result_ttl", OPTIONAL_STR),
        ("failure_ttl", OPTIONAL_STR),
        ("at_front", BOOL),
        ("job_id", OPTIONAL_STR),
        ("description", OPTIONAL_STR),
    ],
};

static REDIS_CONF: Schema = Schema::Struct {
    name: "RedisConf",
    fields: &[
        ("host", STR),
        ("port", INT),
        ("db", OPTIONAL_STR),
        ("password", OPTIONAL_STR),
        ("ssl", BOOL),
        ("ssl_ca_certs", OPTIONAL_STR),
        ("mock", BOOL),
    ],
};

static RQ_LAUNCHER_CONF: Schema = Schema::Struct {
    name: "RQLauncherConf",
    fields: &[
        ("_target_", STR),
        ("enqueue", Some(&ENQUEUE_CONF)),
        ("queue", STR),
        ("redis", Some(&REDIS_CONF)),
        ("stop_after_enqueue", BOOL),
        ("wait_polling", FLOAT),
    ],
};

static OPTUNA_SWEEPER_CONF: Schema = Schema::Struct {
    name: "OptunaSweeperConf",
    fields: &[
        ("_target_", STR),
        ("sampler", ANY),
        ("direction", ANY),
        ("storage", ANY),
        ("study_name", OPTIONAL_STR),
        ("n_trials", INT),
        ("n_jobs", INT),
        ("max_failure_rate", FLOAT),
        ("search_space", Some(&Schema::Map { item: ANY, optional: true })),
        ("params", Some(&Schema::Map { item: STR, optional: true })),
        ("custom_search_space", OPTIONAL_STR),
    ],
};

static TPE_SAMPLER_CONFIG: Schema = Schema::Struct {
    name: "TPESamplerConfig",
    fields: &[
        ("_target_", STR),
        ("seed", OPTIONAL_INT),
        ("consider_prior", BOOL),
        ("prior_weight", FLOAT),
        ("consider_magic_clip", BOOL),
        ("consider_endpoints", BOOL),
        ("n_startup_trials", INT),
        ("n_ei_candidates", INT),
        ("multivariate", BOOL),
        ("warn_independent_sampling", BOOL),
    ],
};

static RANDOM_SAMPLER_CONFIG: Schema =
    Schema::Struct { name: "RandomSamplerConfig", fields: &[("_target_", STR), ("seed", OPTIONAL_INT)] };

static CMA_ES_SAMPLER_CONFIG: Schema = Schema::Struct {
    name: "CmaEsSamplerConfig",
    fields: &[
        ("_target_", STR),
        ("seed", OPTIONAL_INT),
        ("x0", Some(&Schema::Map { item: ANY, optional: true })),
        ("sigma0", OPTIONAL_FLOAT),
        ("independent_sampler", ANY),
        ("warn_independent_sampling", BOOL),
        ("consider_pruned_trials", BOOL),
        ("restart_strategy", ANY),
        ("inc_popsize", INT),
        ("use_separable_cma", BOOL),
        ("source_trials", ANY),
    ],
};

static NSGAII_SAMPLER_CONFIG: Schema = Schema::Struct {
    name: "NSGAIISamplerConfig",
    fields: &[
        ("_target_", STR),
        ("seed", OPTIONAL_INT),
        ("population_size", INT),
        ("mutation_prob", OPTIONAL_FLOAT),
        ("crossover_prob", FLOAT),
        ("swapping_prob", FLOAT),
        ("constraints_func", ANY),
    ],
};

static MOTPE_SAMPLER_CONFIG: Schema = Schema::Struct {
    name: "MOTPESamplerConfig",
    fields: &[
        ("_target_", STR),
        ("seed", OPTIONAL_INT),
        ("consider_prior", BOOL),
        ("prior_weight", FLOAT),
        ("consider_magic_clip", BOOL),
        ("consider_endpoints", BOOL),
        ("n_startup_trials", INT),
        ("n_ehvi_candidates", INT),
    ],
};

static GRID_SAMPLER_CONFIG: Schema =
    Schema::Struct { name: "GridSamplerConfig", fields: &[("_target_", STR), ("_partial_", BOOL)] };

static OPTIM_CONF: Schema = Schema::Struct {
    name: "OptimConf",
    fields: &[
        ("optimizer", STR),
        ("budget", INT),
        ("num_workers", INT),
        ("noisy", BOOL),
        ("maximize", BOOL),
        ("seed", OPTIONAL_INT),
        ("max_failure_rate", FLOAT),
    ],
};

static NEVERGRAD_SWEEPER_CONF: Schema = Schema::Struct {
    name: "NevergradSweeperConf",
    fields: &[
        ("_target_", STR),
        ("optim", Some(&OPTIM_CONF)),
        ("parametrization", Some(&Schema::Map { item: ANY, optional: false })),
    ],
};

static EARLY_STOP_CONFIG: Schema = Schema::Struct {
    name: "EarlyStopConfig",
    fields: &[("minimize", BOOL), ("max_epochs_without_improvement", INT), ("epsilon", FLOAT)],
};

static EXPERIMENT_CONFIG: Schema = Schema::Struct {
    name: "ExperimentConfig",
    fields: &[
        ("name", OPTIONAL_STR),
        ("objective_name", STR),
        ("minimize", BOOL),
        ("parameter_constraints", Some(&Schema::List { item: STR, optional: true })),
        ("outcome_constraints", Some(&Schema::List { item: STR, optional: true })),
        ("status_quo", Some(&Schema::Map { item: ANY, optional: true })),
    ],
};

static CLIENT_CONFIG: Schema =
    Schema::Struct { name: "ClientConfig", fields: &[("verbose_logging", BOOL), ("random_seed", OPTIONAL_INT)] };

static AX_CONFIG: Schema = Schema::Struct {
    name: "AxConfig",
    fields: &[
        ("max_trials", INT),
        ("early_stop", Some(&EARLY_STOP_CONFIG)),
        ("experiment", Some(&EXPERIMENT_CONFIG)),
        ("client", Some(&CLIENT_CONFIG)),
        ("params", Some(&Schema::Map { item: ANY, optional: false })),
        ("is_noisy", BOOL),
    ],
};

static AX_SWEEPER_CONF: Schema = Schema::Struct {
    name: "AxSweeperConf",
    fields: &[("_target_", STR), ("max_batch_size", OPTIONAL_INT), ("ax_config", Some(&AX_CONFIG))],
};
