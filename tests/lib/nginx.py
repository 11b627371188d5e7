"""nginx in a folder of its own, in the foreground: what every configuration of it needs here."""

FRAME = """
daemon off; pid {folder}/pid; error_log {folder}/error; worker_processes 1; user root;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {block}
}}
"""
