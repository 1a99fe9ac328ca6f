# Each target does all its own set-up: scripts/venv.py makes the environment it needs.
PYTHON ?= python3
VENV = $(PYTHON) scripts/venv.py
MATRIX = $(PYTHON) -m scripts.matrix
# Most tests wait for processes of their own, so more of them at once than there are cores.
AT_ONCE ?= 3
# The Python of `make test` (3.10, …), of those found, and which versions `make test-matrix` takes.
WITH ?= newest
SUITES ?= lowest newest pre
# Providers, spans and records as each SDK makes them, and all of it on a library worker.
ON_THE_SDK = $(addprefix tests/telemetry/test_, providers.py recorder.py log_export.py \
	record_claims.py resource.py settings.py) $(addprefix tests/integration/test_, smoke.py logs.py)

SITE = build/site

.PHONY: site site-serve demo test test-oldest test-lowest test-matrix compatibility test-services test-page pictures golden bench docs check lint format wheel release-check

demo: ## run a sample app on Microsoft's library worker and print its traces
	@$(VENV) --python 3.13+ --extra host -- funcscope demo

test: ## run all tests, on a Python that has the library workers where there is one
	@$(PYTHON) scripts/services.py --set-up-node
	@$(VENV) --python $(WITH) --extra all --group test --beside opencensus --beside azure-monitor \
		--beside threads --beside sentry-next --beside distros --beside durable-next \
		-- python -m pytest -n $(AT_ONCE) $(ARGS)

test-oldest: ## run the tests on the oldest supported Python found
	@$(VENV) --python oldest --extra all --group test -- python -m pytest -n $(AT_ONCE) $(ARGS)

test-lowest: ## run what lives on OpenTelemetry's SDK on the lowest direct versions
	@$(MATRIX) suite lowest --python $(WITH) -- -n $(AT_ONCE) $(ARGS) $(ON_THE_SDK)

test-matrix: ## run all tests on the lowest and newest direct versions, and on pre-releases
	@$(MATRIX) suite $(SUITES) --python $(WITH) -- -n $(AT_ONCE) $(ARGS)

compatibility: ## write docs/reference/compatibility.md by running beside what people have
	@$(MATRIX) beside

test-services: ## run calls to PostgreSQL, redis, Azurite and others through all their layers
	@$(VENV) --python 3.13+ --extra all --group test --beside services -- \
		$(PYTHON) scripts/services.py -- python -m pytest tests/integration/test_services.py $(ARGS)

test-page: site ## run the tests of the trace page and the site in Chromium: apt-get install chromium
	@$(VENV) --python 3.13+ --extra all --group test --group page -- env SITE=$(SITE) \
		python -m pytest $(ARGS) tests/contrib/host/test_page_in_browser.py tests/test_site_in_browser.py

pictures: ## record the docs' pictures of the trace page and of the demo: docs/pictures
	@$(VENV) --python 3.13+ --extra host -- python -m scripts.demo_picture
	@$(VENV) --python 3.13+ --extra all --group test --group page -- env RECORD_PICTURES=1 \
		python -m pytest -q tests/contrib/host/test_page_in_browser.py -k "error or pictures"

golden: ## record anew what test apps export: tests/golden, to be looked at with `git diff`
	@$(VENV) --python 3.13+ --extra all --group test -- \
		env RECORD_GOLDEN=1 python -m pytest -n $(AT_ONCE) tests/integration/test_golden.py

bench: ## measure what funcscope costs beside others, as ratios within one run; ARGS="--quick --only latency"
	@for group in azure-monitor ddtrace elastic; do \
		$(VENV) --python 3.13+ --extra all --group test --group bench --beside $$group -- true \
		|| echo "$$group cannot be installed, and is left out" >&2; done
	@$(VENV) --python 3.13+ --extra all --group test --group bench -- sh -c 'missed=0; \
		for name in $(if $(findstring --only,$(ARGS)),,lifecycle threads records); do \
			python -m tests.benchmarks.$$name || missed=1; done; \
		python -m tests.benchmarks.compare $(ARGS) || missed=1; exit $$missed'

docs: ## write the reference pages that are made from the code's tables
	@$(VENV) --extra all -- python -m scripts.reference

site: ## build the documentation site, build/site, where any warning or dead link fails
	@$(VENV) --extra all --group site -- sh -c 'python -m scripts.site_build && \
		SITE=$(SITE) python -m pytest -q --noconftest -p no:cacheprovider tests/test_site.py'

site-serve: ## build the site and serve it on http://127.0.0.1:8000
	@$(VENV) --extra all --group site -- python -m scripts.site_build --serve 8000

check: ## format, lint and type check
	@$(VENV) --extra all --group test --group check -- sh scripts/check

lint: ## the part of `make check` that takes a moment
	@$(VENV) --extra all --group test --group check -- sh -c 'ruff format --check . && ruff check .'

format: ## apply what `make check` asks of formatting
	@$(VENV) --extra all --group test --group check -- sh -c 'ruff format . && ruff check --fix .'

wheel: ## build the wheel into dist/, and print the line that installs it
	@$(PYTHON) -m scripts.release wheel

release-check: ## look at the wheel and the sdist, and install each extra on each Python found; TAG=v1.2.3
	@$(PYTHON) -m scripts.release check $(if $(TAG),--tag $(TAG))
