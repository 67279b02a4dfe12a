# SPDX-License-Identifier: MIT
"""The figures of a report's page: each is made of the report's JSON alone, as text and inline SVG."""
