# Programs that measure the demand model; see their heads.
# help: make bench-demand             time per sample, forecast, rebuild and drive
# help: make eval-forecast DATA=DIR   MASE, pinball loss and coverage over the series of a folder

bench-demand: $(O)/bench/bench_demand
	$<

DATA ?= test/data
eval-forecast: $(O)/bench/eval_forecast
	$< $(wildcard $(DATA)/*.csv $(DATA)/series/*.csv)

.PHONY: bench-demand eval-forecast
