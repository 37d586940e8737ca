"""vLLM in a separate process and interpreter: `python vllm_worker.py FOLDER`, started by `benchmarks.peers`.

It imports nothing from ODD, since vLLM pins other versions of their common dependencies. Each input line is a job in
JSON; each output line is the number of tokens drawn for it. The first output line is the version of vLLM.
"""

import json
import os
import sys


def main() -> None:
    """Answer jobs until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # keep the output of vLLM and its subprocesses out of the answers
    import vllm  # pyright: ignore[reportMissingImports]

    engine = vllm.LLM(model=sys.argv[1], dtype="float32", max_model_len=1024, max_num_seqs=256)
    print(vllm.__version__, file=answers)
    for line in sys.stdin:
        job = json.loads(line)
        # no per-request seeds: with them vLLM samples requests one by one
        settings = [
            vllm.SamplingParams(temperature=1.0, max_tokens=limit, ignore_eos=job["endless"], detokenize=False)
            for limit in job["limits"]
        ]
        prompts = [{"prompt_token_ids": prefix} for prefix in job["prefixes"]]
        made = engine.generate(prompts, settings, use_tqdm=False)
        print(sum(len(one.outputs[0].token_ids) for one in made), file=answers)


if __name__ == "__main__":
    main()
