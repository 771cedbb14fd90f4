"""The module paths of the reference implementation, and where their names live here.

Programs import ``nemo_run.core.execution.local``, ``nemo_run.run.experiment`` and so on. Each path
of :data:`PATHS` is importable, and its names are the very objects of the rooms. :data:`LATER` and
:data:`NEVER` hold the names of the reference that are not here, with the reason, so that a program
that needs one gets a sentence.
"""

from __future__ import annotations

# Path → name → ``module`` or ``module:attribute`` here. ``*`` is where every other name is looked
# up. A path without names holds longer paths only.
PATHS: dict[str, dict[str, str]] = {
    "nemo_run.api": {
        "AutoConfigProtocol": "nemo_run.config.convert.autoconvert",
        "autoconvert": "nemo_run.config.convert.autoconvert",
        "default_autoconfig_buildable": "nemo_run.config.convert.autoconvert",
        "dryrun_fn": "nemo_run.management.run_task",
    },
    "nemo_run.cli.api": {
        "CommandDefaults": "nemo_run.cli.flow.defaults",
        "Entrypoint": "nemo_run.cli.entrypoints.entrypoint",
        "EntrypointCommand": "nemo_run.cli.flow.command",
        "InvalidOptionError": "nemo_run.exceptions:OverrideError",
        "MissingRequiredOptionError": "nemo_run.exceptions:OverrideError",
        "RunContext": "nemo_run.cli.flow.context",
        "RunContextError": "nemo_run.exceptions:OverrideError",
        "configure_logging": "nemo_run.console.api",
        "create_cli": "nemo_run.cli.entrypoints.front",
        "entrypoint": "nemo_run.cli.entrypoints.entrypoint",
        "extract_constituent_types": "nemo_run.config.types_helpers:get_underlying_types",
        "factory": "nemo_run.cli.factories",
        "list_entrypoints": "nemo_run.cli.entrypoints.registry",
        "list_factories": "nemo_run.cli.factories",
        "main": "nemo_run.cli.entrypoints.main",
        "parse_cli_args": "nemo_run.cli.parse_args",
        "parse_config": "nemo_run.cli.parse_args",
        "parse_partial": "nemo_run.cli.parse_args",
        "resolve_factory": "nemo_run.cli.factories",
    },
    # What is wrong with a command line is one kind of error here, whose sentence says the rest.
    "nemo_run.cli.cli_parser": {
        "ArgumentParsingError": "nemo_run.exceptions:OverrideError",
        "ArgumentValueError": "nemo_run.exceptions:OverrideError",
        "CLIException": "nemo_run.exceptions:OverrideError",
        "CollectionParseError": "nemo_run.exceptions:OverrideError",
        "DictParseError": "nemo_run.exceptions:OverrideError",
        "ListParseError": "nemo_run.exceptions:OverrideError",
        "LiteralParseError": "nemo_run.exceptions:OverrideError",
        "OperationError": "nemo_run.exceptions:OverrideError",
        "ParseError": "nemo_run.exceptions:OverrideError",
        "TypeParsingError": "nemo_run.exceptions:OverrideError",
        "UndefinedVariableError": "nemo_run.exceptions:OverrideError",
        "UnknownTypeError": "nemo_run.exceptions:OverrideError",
        "parse_cli_args": "nemo_run.compat.command_line",
        "parse_config": "nemo_run.cli.parse_args",
        "parse_partial": "nemo_run.cli.parse_args",
        "parse_value": "nemo_run.config.values.parse:parse",
    },
    "nemo_run.core": {},
    "nemo_run.core.execution": {
        "Executor": "nemo_run.execution.executor",
        "ExecutorMacros": "nemo_run.execution.executor",
        "LocalExecutor": "nemo_run.execution.local.executor",
        "SlurmExecutor": "nemo_run.execution.slurm.executor",
    },
    "nemo_run.core.execution.base": {
        "Executor": "nemo_run.execution.executor",
        "ExecutorMacros": "nemo_run.execution.executor",
        "import_executor": "nemo_run.execution.executor",
        "*": "nemo_run.execution.executor",
    },
    "nemo_run.core.execution.launcher": {
        "FaultTolerance": "nemo_run.execution.launcher",
        "LAUNCHER_MAP": "nemo_run.execution.launcher",
        "Launcher": "nemo_run.execution.launcher",
        "SlurmTemplate": "nemo_run.execution.launcher",
        "Torchrun": "nemo_run.execution.launcher",
        "*": "nemo_run.execution.launcher",
    },
    "nemo_run.core.execution.local": {
        "LocalExecutor": "nemo_run.execution.local.executor",
        "*": "nemo_run.execution.local.executor",
    },
    "nemo_run.core.execution.slurm": {
        "SlurmBatchRequest": "nemo_run.execution.slurm.request",
        "SlurmExecutor": "nemo_run.execution.slurm.executor",
        "SlurmJobDetails": "nemo_run.execution.slurm.details",
        "get_packaging_job_key": "nemo_run.execution.slurm.request",
        "*": "nemo_run.execution.slurm.executor",
    },
    "nemo_run.core.execution.utils": {"fill_template": "nemo_run.execution.templates"},
    "nemo_run.core.frontend": {},
    "nemo_run.core.frontend.console": {},
    "nemo_run.core.frontend.console.api": {
        "CONSOLE": "nemo_run.console.api",
        "CustomConfigRepr": "nemo_run.console.api",
        "configure_logging": "nemo_run.console.api",
        "deconfigure_logging": "nemo_run.console.api",
    },
    "nemo_run.core.packaging": {
        "GitArchivePackager": "nemo_run.packaging.git_archive",
        "HybridPackager": "nemo_run.packaging.hybrid",
        "Packager": "nemo_run.packaging.packager",
        "PatternPackager": "nemo_run.packaging.pattern",
    },
    "nemo_run.core.packaging.base": {
        "Packager": "nemo_run.packaging.packager",
        "*": "nemo_run.packaging.packager",
    },
    "nemo_run.core.packaging.git": {
        # What runs commands on this machine: programs' tests replace it.
        "Context": "nemo_run.remote.local:LocalTunnel",
        "GitArchivePackager": "nemo_run.packaging.git_archive",
        "*": "nemo_run.packaging.git_archive",
    },
    "nemo_run.core.packaging.hybrid": {
        "HybridPackager": "nemo_run.packaging.hybrid",
        "*": "nemo_run.packaging.hybrid",
    },
    "nemo_run.core.packaging.pattern": {
        "Context": "nemo_run.remote.local:LocalTunnel",
        "PatternPackager": "nemo_run.packaging.pattern",
        "*": "nemo_run.packaging.pattern",
    },
    "nemo_run.core.serialization": {},
    "nemo_run.core.serialization.yaml": {"YamlSerializer": "nemo_run.config.files.serializers"},
    "nemo_run.core.serialization.zlib_json": {
        "ZlibJSONSerializer": "nemo_run.config.files.serializers"
    },
    "nemo_run.core.tunnel": {
        "LocalTunnel": "nemo_run.remote.local",
        "SSHTunnel": "nemo_run.remote.ssh",
        "Tunnel": "nemo_run.remote.tunnel",
    },
    "nemo_run.core.tunnel.callback": {"Callback": "nemo_run.remote.legacy"},
    "nemo_run.core.tunnel.client": {
        "Callback": "nemo_run.remote.legacy",
        "LocalTunnel": "nemo_run.remote.local",
        "PackagingJob": "nemo_run.remote.tunnel",
        "RunResult": "nemo_run.remote.tunnel",
        "SSHConfigFile": "nemo_run.remote.legacy",
        "SSHTunnel": "nemo_run.remote.ssh",
        "Tunnel": "nemo_run.remote.tunnel",
        "delete_tunnel_dir": "nemo_run.remote.legacy",
    },
    "nemo_run.core.tunnel.rsync": {"rsync": "nemo_run.remote.legacy"},
    "nemo_run.package_info": {
        "__package_name__": "nemo_run",
        "__version__": "nemo_run",
    },
    "nemo_run.run": {},
    "nemo_run.run.api": {"run": "nemo_run.management.run_task"},
    "nemo_run.run.experiment": {
        "Experiment": "nemo_run.management.experiment",
        "*": "nemo_run.management.experiment",
    },
    "nemo_run.run.job": {
        "AppState": "nemo_run.execution.observation:State",
        "Job": "nemo_run.management.describe.jobs",
        "JobGroup": "nemo_run.management.describe.jobs",
        # Only handed from an experiment to its jobs, which here know their experiment.
        "Runner": "nemo_run.management.experiment:Experiment",
    },
    "nemo_run.run.plugin": {"ExperimentPlugin": "nemo_run.management.describe.plugin:Plugin"},
    "nemo_run.run.task": {
        "direct_run_fn": "nemo_run.management.run_task",
        "dryrun_fn": "nemo_run.management.run_task",
    },
    "nemo_run.run.torchx_backend": {},
    "nemo_run.run.torchx_backend.packaging": {"_serialize": "nemo_run.compat.torchx"},
    "nemo_run.run.torchx_backend.schedulers": {},
    "nemo_run.run.torchx_backend.schedulers.api": {
        "EXECUTOR_MAPPING": "nemo_run.compat.torchx",
        "REVERSE_EXECUTOR_MAPPING": "nemo_run.compat.torchx",
        "get_executor_str": "nemo_run.compat.torchx",
    },
}

# What brings it → the modules and names that come with it.
LATER: dict[str, tuple[str, ...]] = {
    "running in Docker containers": (
        "nemo_run.DockerExecutor",
        "nemo_run.core.execution.DockerExecutor",
        "nemo_run.core.execution.docker",
    ),
    "running on Kubernetes": (
        "nemo_run.KubeflowExecutor",
        "nemo_run.core.execution.KubeflowExecutor",
        "nemo_run.core.execution.kubeflow",
        "nemo_run.core.execution.kuberay",
    ),
    "running on Lepton": (
        "nemo_run.LeptonExecutor",
        "nemo_run.core.execution.LeptonExecutor",
        "nemo_run.core.execution.lepton",
    ),
    "running on Run:ai": (
        "nemo_run.DGXCloudExecutor",
        "nemo_run.core.execution.DGXCloudExecutor",
        "nemo_run.core.execution.dgxcloud",
    ),
    "running on SkyPilot": (
        "nemo_run.SkypilotExecutor",
        "nemo_run.SkypilotJobsExecutor",
        "nemo_run.core.execution.SkypilotExecutor",
        "nemo_run.core.execution.skypilot",
        "nemo_run.core.execution.skypilot_jobs",
    ),
    "running Ray": (
        "nemo_run.SlurmRay",
        "nemo_run.core.execution.launcher.SlurmRay",
        "nemo_run.run.ray",
    ),
    "workspaces for an editor": (
        "nemo_run.DevSpace",
        "nemo_run.core.tunnel.server",
        "nemo_run.devspace",
    ),
}

# Why there is none → the modules and names.
NEVER: dict[str, tuple[str, ...]] = {
    "files of configuration are converted by `nemo-run config convert`, and in a program by "
    "nemo_run.config.files.load.load and nemo_run.config.files.written_forms.text_of": (
        "nemo_run.cli.config.ConfigSerializer",
        "nemo_run.cli.config.dict_to_yaml",
        "nemo_run.cli.config.json_to_toml",
        "nemo_run.cli.config.json_to_yaml",
        "nemo_run.cli.config.toml_to_json",
        "nemo_run.cli.config.toml_to_yaml",
        "nemo_run.cli.config.yaml_to_dict",
        "nemo_run.cli.config.yaml_to_json",
        "nemo_run.cli.config.yaml_to_toml",
    ),
    "run.LazyEntrypoint takes files as yaml=, and reads sections of them: base.yaml:model": (
        "nemo_run.cli.lazy.dictconfig_to_dot_list",
        "nemo_run.cli.lazy.import_module",
        "nemo_run.cli.lazy.load_config_from_path",
    ),
    "NeMo Run does not stand on TorchX; run, watch and cancel jobs through nemo_run.Experiment": (
        "nemo_run.run.torchx_backend.components",
        "nemo_run.run.torchx_backend.launcher",
        "nemo_run.run.torchx_backend.packaging.merge_executables",
        "nemo_run.run.torchx_backend.packaging.package",
        "nemo_run.run.torchx_backend.runner",
        "nemo_run.run.torchx_backend.schedulers",
    ),
    "ssh itself asks for passwords and second factors, once for all (docs/remote.md)": (
        "nemo_run.core.tunnel.client.authentication_handler",
    ),
    "each backend reads its own logs (nemo_run.execution.backend.Backend.logs)": (
        "nemo_run.core.execution.base.LogSupportedExecutor",
        "nemo_run.run.logs",
        "nemo_run.run.utils",
    ),
    "opening an experiment runs none of its code": (
        "nemo_run.run.experiment.maybe_load_external_main",
    ),
    "each job brings its own runner, one file that needs no installation": (
        "nemo_run.core.runners",
    ),
}
