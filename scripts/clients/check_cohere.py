import cohere
from check import KEY, RERANKER, URL, path, report, same


@path("rerank of ClientV2")
def _():
    client = cohere.ClientV2(api_key=KEY, base_url=URL)
    answer = client.rerank(model=RERANKER, query="a cat", documents=["a dog", "a cat", "the sea"], top_n=2)
    same(len(answer.results), 2)
    assert answer.results[0].relevance_score >= answer.results[1].relevance_score


@path("rerank of Client")
def _():
    client = cohere.Client(api_key=KEY, base_url=URL)
    answer = client.rerank(model=RERANKER, query="a cat", documents=[{"text": "a dog"}, {"text": "a cat"}], return_documents=True)
    same(sorted(one.document.text for one in answer.results), ["a cat", "a dog"])


report()
