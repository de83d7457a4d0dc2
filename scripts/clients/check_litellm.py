import asyncio
import json

import litellm
from check import BASE, ENCODER, KEY, MODEL, QUESTION, RERANKER, URL, path, report, same

litellm.suppress_debug_info = True
MESSAGES = [{"role": "user", "content": QUESTION}]
VIA = {"api_base": BASE, "api_key": KEY, "num_retries": 0}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}


def ask(provider="openai", **fields):
    return litellm.completion(model=f"{provider}/{MODEL}", messages=MESSAGES, temperature=0, **VIA, **fields)


for provider in ("openai", "hosted_vllm"):

    @path(f"{provider}/: completion, whole and streamed")
    def _(provider=provider):
        whole = ask(provider, max_tokens=16).choices[0].message.content
        pieces = [chunk.choices[0].delta.content or "" for chunk in ask(provider, max_tokens=16, stream=True)]
        same("".join(pieces), whole)


@path("openai/: tools")
def _():
    call = ask(tools=[WEATHER], tool_choice="required").choices[0].message.tool_calls[0]
    same(call.function.name, "weather")
    json.loads(call.function.arguments)


@path("openai/: response_format")
def _():
    schema = {"type": "object", "properties": {"city": {"type": "string", "enum": ["Paris", "Rome"]}}, "required": ["city"]}
    answer = ask(response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema, "strict": True}})
    assert json.loads(answer.choices[0].message.content)["city"] in ("Paris", "Rome")


@path("openai/: embedding")
def _():
    answer = litellm.embedding(model=f"openai/{ENCODER}", input=["a cat", "a dog"], encoding_format="float", **VIA)
    same(len(answer.data), 2)


@path("openai/: text_completion")
def _():
    answer = litellm.text_completion(model=f"text-completion-openai/{MODEL}", prompt="One, two,", max_tokens=4, **VIA)
    assert answer.choices[0].text


@path("openai/: responses")
def _():
    assert litellm.responses(model=f"openai/{MODEL}", input=QUESTION, max_output_tokens=8, **VIA).output


@path("hosted_vllm/: rerank")
def _():
    answer = litellm.rerank(model=f"hosted_vllm/{RERANKER}", query="a cat", documents=["a dog", "a cat"], api_base=URL, api_key=KEY)
    same(len(answer.results), 2)


@path("anthropic/: completion")
def _():
    answer = litellm.completion(model=f"anthropic/{MODEL}", messages=MESSAGES, max_tokens=8, api_base=URL, api_key=KEY)
    assert answer.choices[0].message.content


@path("ollama_chat/: completion, whole and streamed; ollama/: embedding")
def _():
    how = {"model": f"ollama_chat/{MODEL}", "messages": MESSAGES, "max_tokens": 8, "temperature": 0, "api_base": URL}
    whole = litellm.completion(**how).choices[0].message.content
    same("".join(chunk.choices[0].delta.content or "" for chunk in litellm.completion(**how, stream=True)), whole)
    same(len(litellm.embedding(model=f"ollama/{ENCODER}", input=["a cat"], api_base=URL).data), 1)


@path("asynchronous")
def _():
    answer = asyncio.run(litellm.acompletion(model=f"openai/{MODEL}", messages=MESSAGES, max_tokens=4, **VIA))
    assert answer.choices[0].message.content


report()
