"""The version that this stands in for."""

VERSION = "4.34.0"
