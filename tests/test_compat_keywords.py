"""Programs call the reference implementation with these keywords."""

from __future__ import annotations

import inspect

import pytest

import nemo_run as run

KEYWORDS = {
    "Experiment": """
        title executor id log_level base_dir clean_mode enable_goodbye_message threadpool_workers
        skip_status_at_exit serialize_metadata_for_scripts
    """,
    "Experiment.add": "task executor name plugins tail_logs dependencies",
    "Experiment.cancel": "job_id",
    "Experiment.catalog": "title",
    "Experiment.dryrun": "log exist_ok delete_exp_dir",
    "Experiment.from_id": "id",
    "Experiment.from_title": "title",
    "Experiment.logs": "job_id regex",
    "Experiment.run": "sequential detach tail_logs direct",
    "Experiment.status": "return_dict",
    "FaultTolerance": """
        cfg_path finished_flag_file job_results_file workload_check_interval
        initial_rank_heartbeat_timeout rank_heartbeat_timeout rank_termination_signal log_level
        max_restarts rdzv_backend rdzv_port rdzv_id
    """,
    "LocalExecutor": """
        packager launcher env_vars retries experiment_id job_dir ntasks_per_node nodes
    """,
    "LocalTunnel": "job_dir packaging_jobs",
    "LocalTunnel.run": "command hide warn",
    "Packager": "debug symlink_from_remote_dir",
    "SSHTunnel": "job_dir host user port identity shell pre_command packaging_jobs",
    "SSHTunnel.run": "command hide warn",
    "Script": "path inline args env entrypoint m metadata",
    "Script.to_command": "with_entrypoint filename is_local substitute_rundir_path",
    "Torchrun": """
        nsys_profile nsys_folder nsys_filename nsys_trace nsys_extra_args nsys_gpu_metrics
        rdzv_backend rdzv_port rdzv_id
    """,
    "autoconvert": "partial to_buildable_fn",
    "config.Config.diff": "old trim",
    "config.Config.save_config_img": "path_str",
    "dryrun_fn": "configured_fn executor build",
    "import_executor": "name file_path call",
    "run": "fn_or_script executor plugins name dryrun direct detach tail_logs log_level",
}
METHODS = {
    "Config": "broadcast clone diff save_config_img visualize walk _repr_svg_",
    "Experiment": "add cancel catalog dryrun from_id from_title jobs logs reset run status tasks",
    "ExecutorMacros": "group_host substitute",
    "LocalExecutor": """
        assign cleanup clone create_job_dir diff get_launcher get_launcher_prefix
        get_nsys_entrypoint info macro_values nnodes nproc_per_node package_configs
        supports_launcher_transform to_config
    """,
    "LocalTunnel": "cleanup connect get keep_alive put run setup to_config",
    "Packager": "package setup to_config",
    "Partial": "broadcast clone diff save_config_img visualize walk _repr_svg_",
    "Plugin": "assign setup",
    "SSHTunnel": "cleanup connect disconnect get keep_alive put run setup to_config",
    "Script": "get_name to_command",
    "Torchrun": "get_nsys_prefix transform to_config",
}


def found(name: str) -> object:
    value: object = run
    for part in name.split("."):
        value = getattr(value, part)
    return value


@pytest.mark.parametrize("name", KEYWORDS)
def test_keywords_are_taken(name):
    missing = set(KEYWORDS[name].split()) - inspect.signature(found(name)).parameters.keys()
    assert not missing


@pytest.mark.parametrize("name", METHODS)
def test_methods_are_there(name):
    assert not [method for method in METHODS[name].split() if not hasattr(found(name), method)]
