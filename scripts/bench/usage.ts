/** What `npm run bench -- --help` prints. */
export const usage = `Usage: npm run bench -- split|overhead|callers|prefix|llama.cpp|tuning|store|api|fairness|grammar|speech|images|hub|hostile|attacks|chaos [options]

split measures, in one run: the engine alone in one process, the same model as 1, 2 and 4 stages in processes of their own
over libp2p on loopback, and llama.cpp's own benchmark on the same GGUF file. That is built first where it is not there.

  --model REF         a GGUF model reference, or random:llama-1.1b-q4_0 (default: smollm2-135m)
  --threads N         threads of every contestant (default: all cores)
  --rounds N          rounds that count (default: 5)
  --prompt-tokens N   tokens of the prompt (default: 128)
  --decode-tokens N   tokens generated (default: 64)
  --without NAME,…    leave contestants out: engine, engine-spinning, engine-run-spinning, stages-1, stages-2, stages-4, llama.cpp
  --cache DIR         where models and llama.cpp are kept (default: ~/.cache/resultity-bench)

overhead measures what this version costs an answer that nobody disturbs, against another checkout, which is installed and
built: both as swarms of processes, in turns.

  --against DIR       the other checkout (default: ../before)
  --model, --threads, --prompt-tokens, --decode-tokens, --cache   as above
  --stages N          stages of the model (default: 3 here)
  --rounds N          rounds that count (default: 10 here)

llama.cpp builds llama-bench and llama-server ahead of a measurement, from the sources that node-llama-cpp carries. It needs
git, cmake and a C++ compiler, and takes a quarter of an hour on two cores.

  --jobs N            compilers at once (default: all cores)
  --cache             as above

tuning measures what each measure of --tuning brings: it is left out alone, in processes of their own, in turns with processes
that take all; decode and prefill with 1 and with 3 stages, and the memory of nodes and coordinator. Some 40 minutes.

  --model, --threads, --prompt-tokens, --decode-tokens, --cache   as above
  --rounds N          how often each is left out (default: 3 here)
  --only NAME,…       these measures only, or all, which leaves out all at once

callers measures how many tokens a second several callers of streamed chats get together, on swarms of processes, and how
long each waits for its next token.

  --model, --threads, --rounds   as above
  --callers N,…       callers at once (default: 1,4,8,16)
  --stages N,…        stages of the model, a swarm for each (default: 1,3 here)
  --prompt-words N    words of each caller's prompt (default: 32)
  --answer-tokens N   tokens of each answer (default: 128)
  --node-args ARGS    further arguments of every node, such as --spinning=on
  --beside NAME=URL   another server of the chat API, measured in turns with ours; may be given several times

prefix measures the time to the first token of the second turn of a conversation, on swarms of processes: with what the
stages have kept of the first turn, and where nobody has asked for that.

  --model, --threads   as above
  --rounds N           rounds that count (default: 3 here)
  --stages N,…         stages of the model, a swarm for each (default: 1,3 here)
  --prompt-tokens N    tokens of the first turn, about (default: 1000 here)

store measures the job stores: SQLite, SQLite that waits for the disk, and a PostgreSQL of its own (or the one that
RESULTITY_TEST_POSTGRES names).

  --seconds N         how long each figure is measured (default: 5)
  --concurrency N     requests under way at once (default: 128)

api measures a coordinator whose answers cost nothing to make, with clients in another process: requests a second, and
streams held open at once.

  --store STORE       sqlite, or a postgres:// URL (default: sqlite)
  --connections N     requests under way at once (default: 64)
  --streams N         streams open at once, with 5 events a second each (default: 5000)

fairness measures what a batch costs whoever asks meanwhile, on a swarm of processes: requests that come by chance, their
time to the first token alone and beside a batch, and the batch's pace with and without them.

  --model, --threads, --rounds   as above
  --stages N          stages of the model (default: 2)
  --seconds N         of requests, alone and beside the batch, in each round (default: 30 here)
  --rate N            requests a second, on average (default: 1)
  --lines N           lines of each round's batch, which is cancelled at the round's end (default: 5000)

grammar measures what honest schemas cost: compiling them, and the mask of each token of their documents. The schemas are
the project's own of tools and responses, and those of the JSON Schema Test Suite.

  --tokenizer FILE    a tokenizer.json, for the vocabulary (default: tiny-chat's)
  --rounds N          rounds, of which the median counts (default: 5)

speech measures transcription and speech: the engine alone on a recording, beside faster-whisper with the same weights; a
voice over a mesh; and a long recording over several nodes of one thread each. It ends with 1 when two texts differ.

  --threads, --cache  as above
  --rounds N          rounds that count (default: 3 here)
  --models REF,…      of the engine, CTranslate2 Whispers (default: whisper-tiny.en,whisper-base here)
  --python PROGRAM    a Python that has scripts/bench/faster-whisper.requirements.txt (default: faster-whisper is left out)
  --only PART,…       engine, voice, nodes
  --nodes N,…         node counts that hear the recording (default: 1,2,4)
  --minutes N         of the recording, which the voice says once and the cache keeps; 13 at the most (default: 10 here)
  --long              watch the memory of a mesh of one node over an hour of such recordings

hub has a coordinator describe a checkpoint of 8 GB, which a hub on this machine makes up as it is read, and processes make its
layers as nodes do; both are killed in the middle. It takes some 20 GB of disk for a while.

  --nodes N           processes that make layers (default: 3 here)
  --tiny              a checkpoint of some megabytes instead
  --gguf              GGUF files with 8 bits a number instead of safetensors with 16

images measures how fast pictures are drawn, by the engine alone and beside diffusers with the same weights, and the most memory that
each takes: with a tiny model, and with random weights of Stable Diffusion 1.5's full width, which diffusers writes to the cache. It
ends with 1 when two nodes draw another picture than one.

  --threads, --cache  as above
  --rounds N          rounds that count (default: 3 here)
  --models NAME,…     tiny, sd-1.5 (default: both)
  --python PROGRAM    a Python that has scripts/bench/diffusers.requirements.txt (default: diffusers is left out)
  --side N            of the wide model's picture, in pixels (default: 512)
  --over-nodes        draw a picture of the wide model over a mesh, on one node of one thread and on two; 28 GB of memory are offered

hostile sends seeded hostile input to a swarm of processes and watches what that does to it; it ends with 1 when an aim is
missed. Half an hour of it: --minutes 30.

  --minutes N         how long (default: 5)
  --seed N            of the cases (default: 1)
  --clients N         hostile clients at once (default: 8)
  --only TEXT         only cases whose name has this in it
  --case N            only case number N of the seed
  --cases-file FILE   where cases that showed a fault are written (default: hostile-cases.json)
  --replay FILE       send the cases of such a file instead

attacks has peers without membership, and members that lie, attack a live mesh of processes in every way that it defends against,
over libp2p, in turns with peace. It shows what each attacker saw, what honest callers got meanwhile, and the memory of each
process. It ends with 1 when an attack was not refused, or an aim is missed.

  --minutes N         in all, half of them in peace (default: 5)
  --seed N            of what attackers draw (default: 1)
  --only NAME         only attacks whose name has this in it

chaos strikes nodes and links of a swarm while it answers (kill -9, SIGSTOP, SIGTERM, links that stall or are cut, two at once), and
compares each answer with the undisturbed one; it ends with 1 when one differs or fails.

  --models REF,…      models, each in 3 stages over 5 nodes (default: smollm2-135m,tiny-chat)
  --runs N            answers (default: 100)
  --seed N            of what is asked and what goes wrong (default: 1)
  --first N           number of the first run, to see one again (default: 0)
  --tokens N          of an answer (default: 200)
  --coordinator       kill the coordinator instead, while it makes answers that it has promised: streams that are gone on with where
                      they broke off, and answers that are come back for
  --postgres          with --coordinator: two coordinators on one PostgreSQL, of which the second goes on

  --json              print one JSON document on stdout; progress stays on stderr
`
