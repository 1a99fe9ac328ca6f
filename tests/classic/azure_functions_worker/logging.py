"""The worker's own loggers."""

import logging

SYSTEM_LOG_PREFIX = "azure_functions_worker"
SDK_LOG_PREFIX = "azure.functions"

logger = logging.getLogger(SYSTEM_LOG_PREFIX)
