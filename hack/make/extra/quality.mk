# How good the decisions are, on a folder of series, beside baselines and goals: test/bench/quality.py.
# help: make bench-quality            forecasts and scaling outcomes on test/data (DATA=DIR another folder, ONLY=forecast|scaling one table)

bench-quality: all
	@test/bench/quality.py --build $(O) --data $(DATA) $(if $(ONLY),--only $(ONLY)) $(QUALITY_FLAGS)

.PHONY: bench-quality
