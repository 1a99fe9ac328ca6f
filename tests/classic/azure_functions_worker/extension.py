"""The worker's own running of extensions, active by a setting."""

from __future__ import annotations

import functools
import logging
import os
import sys
from typing import TYPE_CHECKING, Any

from .logging import SYSTEM_LOG_PREFIX, logger

if TYPE_CHECKING:
    from collections.abc import Callable


def is_enabled() -> bool:
    """Tell whether `PYTHON_ENABLE_WORKER_EXTENSIONS` is on; on Python 3.9 alone it is unset."""
    default = "1" if sys.version_info[:2] == (3, 9) else "0"
    return os.environ.get("PYTHON_ENABLE_WORKER_EXTENSIONS", default).lower() in ("1", "true")


class ExtensionManager:
    """Calls the hooks that `azure.functions.ExtensionMeta` collected."""

    @classmethod
    def function_load_extension(cls, func_name: str, func_directory: str) -> None:
        if not is_enabled():
            return
        import azure.functions as sdk

        func = sdk.ExtensionMeta.get_function_hooks(func_name)
        cls._safe_execute_function_load_hooks(func, "post_function_load", func_name, func_directory)
        app = sdk.ExtensionMeta.get_application_hooks()
        cls._safe_execute_function_load_hooks(
            app, "post_function_load_app_level", func_name, func_directory
        )

    @classmethod
    def get_sync_invocation_wrapper(
        cls, ctx: Any, func: Callable[..., Any]
    ) -> Callable[[dict[str, Any]], Any]:
        return functools.partial(cls._raw_invocation_wrapper, ctx, func)

    @classmethod
    async def get_async_invocation_wrapper(
        cls, ctx: Any, function: Callable[..., Any], args: dict[str, Any]
    ) -> Any:
        cls._invocation_extension(ctx, "pre_invocation_app_level", args)
        cls._invocation_extension(ctx, "pre_invocation", args)
        result = await function(**args)
        cls._invocation_extension(ctx, "post_invocation", args, result)
        cls._invocation_extension(ctx, "post_invocation_app_level", args, result)
        return result

    @classmethod
    def _raw_invocation_wrapper(
        cls, ctx: Any, function: Callable[..., Any], args: dict[str, Any]
    ) -> Any:
        cls._invocation_extension(ctx, "pre_invocation_app_level", args)
        cls._invocation_extension(ctx, "pre_invocation", args)
        result = function(**args)
        cls._invocation_extension(ctx, "post_invocation", args, result)
        cls._invocation_extension(ctx, "post_invocation_app_level", args, result)
        return result

    @classmethod
    def _invocation_extension(
        cls, ctx: Any, hook_name: str, func_args: dict[str, Any], func_ret: Any = None
    ) -> None:
        if not is_enabled():
            return
        import azure.functions as sdk

        for hooks in (
            sdk.ExtensionMeta.get_function_hooks(ctx.function_name),
            sdk.ExtensionMeta.get_application_hooks(),
        ):
            cls._safe_execute_invocation_hooks(hooks, hook_name, ctx, func_args, func_ret)

    @classmethod
    def _safe_execute_invocation_hooks(
        cls, hooks: Any, hook_name: str, ctx: Any, fargs: Any, fret: Any
    ) -> None:
        for hook_meta in getattr(hooks, hook_name, None) or []:
            ext_logger = logging.getLogger(f"{SYSTEM_LOG_PREFIX}.extension.{hook_meta.ext_name}")
            try:
                if hook_name.startswith("pre_"):
                    hook_meta.ext_impl(ext_logger, ctx, fargs)
                else:
                    hook_meta.ext_impl(ext_logger, ctx, fargs, fret)
            except Exception as e:
                ext_logger.error(e, exc_info=True)

    @classmethod
    def _safe_execute_function_load_hooks(
        cls, hooks: Any, hook_name: str, fname: str, fdir: str
    ) -> None:
        for hook_meta in getattr(hooks, hook_name, None) or []:
            try:
                hook_meta.ext_impl(fname, fdir)
            except Exception as e:
                logger.error(e, exc_info=True)
