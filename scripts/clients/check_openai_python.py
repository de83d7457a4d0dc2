import asyncio
import io
import json

import openai
from check import BASE, ENCODER, KEY, MODEL, QUESTION, path, report, same
from pydantic import BaseModel

client = openai.OpenAI(base_url=BASE, api_key=KEY, max_retries=0)
ASK = {"model": MODEL, "messages": [{"role": "user", "content": QUESTION}], "temperature": 0}
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string", "enum": ["Paris", "Rome"]}}, "required": ["city"]},
    },
}


class City(BaseModel):
    name: str
    population: int


@path("models")
def _():
    assert MODEL in [model.id for model in client.models.list()]
    same(client.models.retrieve(MODEL).id, MODEL)


@path("chat")
def _():
    answer = client.chat.completions.create(**ASK, max_completion_tokens=24, logprobs=True, top_logprobs=2)
    assert answer.choices[0].message.content and answer.usage.completion_tokens <= 24
    assert len(answer.choices[0].logprobs.content) == answer.usage.completion_tokens


@path("chat streamed, with usage")
def _():
    whole = client.chat.completions.create(**ASK, max_completion_tokens=24)
    chunks = list(client.chat.completions.create(**ASK, max_completion_tokens=24, stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    same(text, whole.choices[0].message.content)
    assert chunks[-1].usage.total_tokens > 0


@path("chat stream helper")
def _():
    # an answer that the token limit cut off is an error to this helper
    with client.chat.completions.stream(**ASK, stop=[" "]) as stream:
        for _event in stream:
            pass
        same(stream.get_final_completion().choices[0].finish_reason, "stop")


@path("chat.parse with a pydantic model")
def _():
    parsed = client.chat.completions.parse(**ASK, response_format=City, max_completion_tokens=200).choices[0].message.parsed
    assert isinstance(parsed, City)


@path("tools, whole and streamed")
def _():
    call = client.chat.completions.create(**ASK, tools=[WEATHER], tool_choice="required").choices[0].message.tool_calls[0]
    assert json.loads(call.function.arguments)["city"] in ("Paris", "Rome")
    with client.chat.completions.stream(**ASK, tools=[WEATHER], tool_choice="required") as stream:
        same(stream.get_final_completion().choices[0].message.tool_calls[0].function.name, "weather")


@path("stored chats")
def _():
    made = client.chat.completions.create(**ASK, max_completion_tokens=4, store=True, metadata={"of": "clients"})
    assert made.id in [one.id for one in client.chat.completions.list(metadata={"of": "clients"}, order="desc")]
    assert client.chat.completions.messages.list(made.id).data[0].content == QUESTION
    assert client.chat.completions.delete(made.id).deleted


@path("completions with echo and logprobs")
def _():
    answer = client.completions.create(model=MODEL, prompt="One, two, three", max_tokens=0, echo=True, logprobs=1)
    same(answer.choices[0].text, "One, two, three")
    assert answer.choices[0].logprobs.token_logprobs[0] is None


@path("embeddings in base64 and floats")
def _():
    packed = client.embeddings.create(model=ENCODER, input=["a cat", "a dog"]).data[1].embedding
    plain = client.embeddings.create(model=ENCODER, input=["a cat", "a dog"], encoding_format="float").data[1].embedding
    same(len(packed), len(plain))
    assert all(abs(a - b) < 1e-6 for a, b in zip(packed, plain))


@path("responses")
def _():
    first = client.responses.create(model=MODEL, input=QUESTION, max_output_tokens=24, temperature=0)
    assert first.output_text
    second = client.responses.create(model=MODEL, input="And of Italy?", previous_response_id=first.id, max_output_tokens=16)
    same(client.responses.retrieve(second.id).id, second.id)
    client.responses.delete(second.id)


@path("responses streamed")
def _():
    # one that ends with response.incomplete has no final response to this helper
    with client.responses.stream(model=MODEL, input=QUESTION, temperature=0, extra_body={"stop": [" "]}) as stream:
        text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        same(stream.get_final_response().output_text, text)
    with client.responses.stream(model=MODEL, input=QUESTION, max_output_tokens=4) as stream:
        same([event.response.status for event in stream if event.type == "response.incomplete"], ["incomplete"])


@path("responses.parse")
def _():
    parsed = client.responses.parse(model=MODEL, input=QUESTION, text_format=City, max_output_tokens=200)
    assert isinstance(parsed.output_parsed, City)


@path("responses in the background")
def _():
    response = client.responses.create(model=MODEL, input=QUESTION, background=True, max_output_tokens=8)
    while response.status in ("queued", "in_progress"):
        response = client.responses.retrieve(response.id)
    same(response.status in ("completed", "incomplete"), True)


@path("files and batches")
def _():
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {**ASK, "max_tokens": 4}}
    file = client.files.create(file=("lines.jsonl", io.BytesIO(json.dumps(line).encode())), purpose="batch")
    batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    while batch.status not in ("completed", "failed", "expired", "cancelled"):
        batch = client.batches.retrieve(batch.id)
    same(batch.status, "completed")
    same(json.loads(client.files.content(batch.output_file_id).text)["custom_id"], "a")


@path("errors of the right class")
def _():
    for work, kind in (
        (lambda: client.chat.completions.create(**{**ASK, "temperature": 9}), openai.BadRequestError),
        (lambda: client.chat.completions.create(**{**ASK, "model": "none"}), openai.NotFoundError),
    ):
        try:
            work()
        except kind as error:
            assert error.code and error.param and error.request_id
        else:
            raise AssertionError("it did not fail")


@path("asynchronous client")
def _():
    async def ask():
        async with openai.AsyncOpenAI(base_url=BASE, api_key=KEY, max_retries=0) as other:
            answers = await asyncio.gather(*[other.chat.completions.create(**ASK, max_completion_tokens=4) for _ in range(4)])
            same(len({answer.choices[0].message.content for answer in answers}), 1)
            stream = await other.chat.completions.create(**ASK, max_completion_tokens=4, stream=True)
            assert [chunk async for chunk in stream]

    asyncio.run(ask())


report()
